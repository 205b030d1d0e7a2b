/** What the tests of the stand-ins share: requests as the framework makes them. */
import type { ResourceRequest } from "../provider";
import type { Obj } from "../values";

export interface Logged {
  severity: string;
  message: string;
}

/** A request about a resource; what is logged goes to `logged`. */
export function about(logged: Logged[] = [], signal = new AbortController().signal): ResourceRequest {
  return { name: "thing", signal, log: (severity, message) => logged.push({ severity, message }) };
}

export const checkRequest = (news: Obj) => ({ ...about(), news });

export const diffRequest = (oldInputs: Obj, news: Obj, state: Obj = oldInputs) => ({
  ...about(),
  oldInputs,
  news,
  state,
});

export const createRequest = (inputs: Obj, preview = false) => ({ ...about(), inputs, preview });
