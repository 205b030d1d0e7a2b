import { BlockList, isIP } from "node:net";

const FAMILIES = { 4: { family: "ipv4", bits: 32 }, 6: { family: "ipv6", bits: 128 } } as const;

/** The parts of a range such as 10.96.0.0/16; undefined if it is none. */
function parseRange(range: string) {
  const [, network = "", digits = ""] = /^([^%]+)\/(0|[1-9]\d*)$/.exec(range) ?? [];
  const version = isIP(network) as 0 | 4 | 6;
  const prefix = Number(digits);
  return version === 0 || prefix > FAMILIES[version].bits ? undefined : { version, network, prefix };
}

function blockOf({ version, network, prefix }: NonNullable<ReturnType<typeof parseRange>>): BlockList {
  const list = new BlockList();
  list.addSubnet(network, prefix, FAMILIES[version].family);
  return list;
}

/** Whether an address lies in a range such as 10.96.0.0/16. Nothing lies in a range of the other IP version. */
export function isWithin(address: string, range: string): boolean {
  const parsed = parseRange(range);
  if (parsed === undefined || isIP(address) !== parsed.version) return false;
  return blockOf(parsed).check(address, FAMILIES[parsed.version].family);
}

/** Whether a range lies within another. */
export function covers(outer: string, inner: string): boolean {
  const [outside, inside] = [parseRange(outer), parseRange(inner)];
  return (
    outside !== undefined && inside !== undefined && inside.prefix >= outside.prefix && isWithin(inside.network, outer)
  );
}

/** An address as a number. */
function bitsOf(address: string): bigint {
  const numbers =
    isIP(address) === 4
      ? address.split(".").map((part) => [Number(part), 256n] as const)
      : groupsOf(address).map((part) => [part, 65536n] as const);
  return numbers.reduce((bits, [part, base]) => bits * base + BigInt(part), 0n);
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text = "") => (text === "" ? [] : text.split(":").map((group) => parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail)];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

/** Whether a text is a range, in whatever way it is written. */
export const isRange = (text: string): boolean => parseRange(text) !== undefined;

/** Why a text is no range of addresses; undefined if it is one. */
export function rangeProblem(range: string): string | undefined {
  const parsed = parseRange(range);
  if (parsed === undefined) return `${range === "" ? "nothing" : range} is no range such as 10.96.0.0/16`;
  if (MAPPED.some((mapped) => isWithin(parsed.network, mapped))) return `${range} is IPv4 in the form of IPv6`;
  const { bits } = FAMILIES[parsed.version];
  const hostBits = BigInt(bits - parsed.prefix);
  if (bitsOf(parsed.network) % 2n ** hostBits !== 0n) return `${range} has bits behind its prefix of ${parsed.prefix}`;
  return undefined;
}

/** The one way to write an address, for comparing: `FD00:0::1` is `fd00::1`. */
export function canonicalAddress(address: string): string {
  const [plain = "", zone] = address.split("%");
  if (isIP(plain) !== 6) return address;
  const canonical = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

/** IPv4 in the form of IPv6: `::ffff:10.0.0.1`. */
const MAPPED = ["::ffff:0:0/96"];

/** Addresses at which one machine does not find another. */
const NOT_OF_A_MACHINE: [what: string, ranges: string[]][] = [
  ["is unspecified", ["0.0.0.0/8", "::/128"]],
  ["is a loopback address: every machine has it", ["127.0.0.0/8", "::1/128"]],
  ["is link-local: it is known on one link only", ["169.254.0.0/16", "fe80::/10"]],
  ["is a multicast address", ["224.0.0.0/4", "ff00::/8"]],
  ["is reserved", ["240.0.0.0/4"]],
  ["is IPv4 in the form of IPv6", MAPPED],
];

/** Why no machine can be found at an address; undefined if one can. */
export function addressProblem(address: string): string | undefined {
  const [plain = "", zone] = address.split("%");
  const [what] = NOT_OF_A_MACHINE.find(([, ranges]) => ranges.some((range) => isWithin(plain, range))) ?? [];
  return what ?? (zone === undefined ? undefined : "has a zone, which is known on one machine only");
}

/** The parts of `address:port`, as the stack's output `istiod` has it; the address may be IPv6. */
export function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
