/** What the tests of the plugins share: requests as the framework makes them. */
import type { ResourceRequest } from "../../../lab/plugins/provider";
import type { Obj } from "../../../lab/plugins/values";

export interface Logged {
  severity: string;
  message: string;
}

/** A request about a resource; what is logged goes to `logged`. */
export function about(logged: Logged[] = [], signal = new AbortController().signal): ResourceRequest {
  return {
    urn: "urn:pulumi:t::p::test:index:Thing::thing",
    type: "test:index:Thing",
    name: "thing",
    signal,
    log: (severity, message) => logged.push({ severity, message }),
  };
}

export const checkRequest = (news: Obj, olds: Obj = {}) => ({ ...about(), news, olds, randomSeed: Buffer.alloc(0) });

export const diffRequest = (oldInputs: Obj, news: Obj, state: Obj = oldInputs) => ({
  ...about(),
  id: "id",
  oldInputs,
  news,
  state,
  ignoreChanges: [],
});

export const createRequest = (inputs: Obj, preview = false) => ({ ...about(), inputs, preview, timeout: 0 });
