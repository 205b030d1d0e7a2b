/** Comparing a host with what it was. */
import { becomesSame, type Snapshot } from "../support/snapshot";
import type { Host } from "./host";

/** @throws with what differs, unless the host becomes as it was: some of systemd's units take a moment to end */
export function assertRestored(host: Host, before: Snapshot): Promise<void> {
  return becomesSame(before, () => host.snapshot(), host.name, 10);
}
