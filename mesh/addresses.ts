import { BlockList, isIP } from "node:net";

const FAMILIES = { 4: { family: "ipv4", bits: 32 }, 6: { family: "ipv6", bits: 128 } } as const;

/** The parts of a range such as 10.96.0.0/16; undefined if it is none. */
function parseRange(range: string) {
  const [, network = "", digits = ""] = /^(.+)\/(\d+)$/.exec(range) ?? [];
  const version = isIP(network) as 0 | 4 | 6;
  const prefix = Number(digits);
  return version === 0 || prefix > FAMILIES[version].bits ? undefined : { version, network, prefix };
}

/** Whether an address lies in a range such as 10.96.0.0/16. Nothing lies in a range of the other IP version. */
export function isWithin(address: string, range: string): boolean {
  const parsed = parseRange(range);
  if (parsed === undefined || isIP(address) !== parsed.version) return false;
  const { family } = FAMILIES[parsed.version];
  const list = new BlockList();
  list.addSubnet(parsed.network, parsed.prefix, family);
  return list.check(address, family);
}

/** Whether a range lies within another. */
export function covers(outer: string, inner: string): boolean {
  const [outside, inside] = [parseRange(outer), parseRange(inner)];
  return (
    outside !== undefined && inside !== undefined && inside.prefix >= outside.prefix && isWithin(inside.network, outer)
  );
}

/** The parts of `address:port`, as the stack's output `istiod` has it; the address may be IPv6. */
export function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
