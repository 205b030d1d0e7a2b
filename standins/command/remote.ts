/** What resources on a machine share: how it is reached, and that nothing but a changed input says what is there. */
import { diffPaths } from "../diff";
import { checkInputs, Fields } from "../inputs";
import type { ResourceType } from "../provider";
import { isObj, isSecret, Obj, secret } from "../values";

const endpoint: Fields["fields"] = {
  host: "string",
  port: "integer",
  user: "string",
  privateKey: "string",
  dialErrorLimit: "integer",
  perDialTimeout: "integer",
  hostKey: "string",
};
const proxy: Fields = { fields: endpoint, required: ["host"] };

export const connectionFields: Fields = { fields: { ...endpoint, proxy }, required: ["host"] };

/** The defaults of an endpoint, at each place where the real provider fills them in; secrets inside stay secret. */
function withDefaults(value: unknown): unknown {
  if (isSecret(value)) return secret(withDefaults(value.value));
  if (!isObj(value)) return value; // Unknown in a preview.
  const { proxy, ...rest } = value;
  const defaults = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };
  return { ...defaults, ...rest, ...(proxy === undefined ? {} : { proxy: withDefaults(proxy) }) };
}

export const remote = {
  /** The connection is always secret. */
  check({ news }, fields: Fields): Obj {
    checkInputs(news, fields);
    return { ...news, connection: secret(withDefaults(news.connection)) };
  },

  /** Everything updates in place. */
  diff: ({ oldInputs, news }) => ({ changes: diffPaths(oldInputs, news) }),

  // There is nothing to ask the machine for: as the real one, it believes the state.
  read: ({ id, inputs, state }) => ({ id, inputs, state }),
} satisfies {
  check(request: { news: Obj }, fields: Fields): Obj;
  diff: ResourceType["diff"];
  read: ResourceType["read"];
};
