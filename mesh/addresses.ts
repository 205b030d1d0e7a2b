import { BlockList, isIP } from "node:net";

const family = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Whether an address lies in a range such as 10.96.0.0/16. */
export function isWithin(address: string, range: string): boolean {
  const [network = "", prefix = ""] = range.split("/");
  if (isIP(address) === 0 || isIP(address) !== isIP(network)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family(network));
  return list.check(address, family(address));
}

/** Whether a range lies within another. */
export function covers(outer: string, inner: string): boolean {
  const [network = "", prefix = ""] = inner.split("/");
  return isWithin(network, outer) && Number(prefix) >= Number(outer.split("/")[1]);
}
