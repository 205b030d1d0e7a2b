/** Its numbers, of which the third may be missing; undefined if it has none. */
export const versionNumbers = (version: string) =>
  /(\d+)\.(\d+)(?:\.(\d+))?/
    .exec(version)
    ?.slice(1)
    .map((part) => Number(part ?? 0));

/** Whether a version is at least another; both as their tools print them. */
export function isAtLeast(version: string, least: string): boolean {
  const [a = [], b = []] = [versionNumbers(version), versionNumbers(least)];
  const differing = b.findIndex((number, index) => a[index] !== number);
  return differing === -1 || (a[differing] ?? 0) > b[differing]!;
}
