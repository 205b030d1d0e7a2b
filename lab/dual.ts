/** Whether a lab has both families of addresses: IPv6 beside IPv4, for its cluster, node, pods, services and VMs. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, type Lab } from "./paths";

export const isDual = (lab: Lab): boolean => existsSync(join(lab.state, "dual"));

/** Makes a new lab one with both. @throws if it has a cluster already, whose services have one */
export function makeDual(lab: Lab): void {
  if (isDual(lab)) return;
  if (existsSync(join(lab.state, "node", "pki"))) {
    throw new Error(`the lab "${lab.name}" has a cluster of IPv4 alone: clean it first`);
  }
  writeFileSync(join(folder(lab.state), "dual"), "");
}
