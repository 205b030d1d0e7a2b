/** Requests from the sample pod to the service, a steady and bounded number of them, while something else goes on. */
import { SERVICE_URL } from "../e2e/mesh";
import { fromPod, type Request, requestsDuring } from "../support/traffic";

export type { Request } from "../support/traffic";

/** How many requests are under way at most. */
export const WORKERS = 4;

/** Does `work` under load, and returns all requests in the order of their beginning. */
export async function loadDuring(work: () => Promise<unknown>): Promise<Request[]> {
  const [requests] = await requestsDuring([fromPod("pod", SERVICE_URL)], work, { workers: WORKERS, limit: 900 });
  return requests!;
}
