/** Resource quantities (`500m`, `2Gi`) in the one spelling that the API server gives back. */

const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/**
 * The canonical spelling: an integer with the largest suffix of the same family that needs no fraction (`2048Mi` is
 * `2Gi`, `1000m` and `1.0` are `1`). Anything else (an exponent, too fine a fraction) comes back unchanged.
 */
export function canonicalQuantity(text: string): string {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?([EPTGMK]i|[numkMGTPE])?$/.exec(text);
  if (!match) return text;
  const [, sign, whole = "", fraction = "", suffix = ""] = match;
  const binary = BINARY.indexOf(suffix);
  const [base, suffixes] = binary > 0 ? [1024n, BINARY] : [1000n, DECIMAL];
  const power = binary > 0 ? binary : DECIMAL.indexOf(suffix);
  const scaled = BigInt(whole + fraction) * base ** BigInt(power);
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n) return text;
  const amount = scaled / divisor;
  return amount === 0n ? "0" : (sign === "-" ? "-" : "") + withSuffix(amount, base, suffixes);
}

/** `amount` in units of the first suffix, written with the largest one that divides it. */
function withSuffix(amount: bigint, base: bigint, suffixes: string[]): string {
  let step = 0;
  while (step < suffixes.length - 1 && amount % base === 0n) {
    amount /= base;
    step++;
  }
  return `${amount}${suffixes[step]}`;
}
