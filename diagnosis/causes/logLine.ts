/** A line of a log of the sidecar or of istiod. */
export interface LogLine {
  /** Without anything that looks like a key or a token. */
  text: string;
  /** When it was written; for a line without a time, the time of the one before. */
  at?: Date;
}

/** The agent's and istiod's, Envoy's and its access log's, and the journal's (short-iso) times, all near the beginning. */
const TIME = /^.{0,60}?\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?) ?(Z|[+-]\d\d:?\d\d)?/;

const SECRETS: [pattern: RegExp, replacement: string][] = [
  [/-----BEGIN [\w ]+-----[\w+/=\s\\]+-----END [\w ]+-----/g, "[PEM removed]"],
  [/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, "[token removed]"],
  [/\b(Bearer|Basic) [\w.~+/=-]{12,}/gi, "$1 [removed]"],
  [/\b((?:access|refresh|id)?_?token|secret|passw(?:or)?d|api[-_]?key)=[^\s&"']+/gi, "$1=[removed]"],
  // What is as long as a line of a key and mixes letters and digits as base64 does. Names and paths do not.
  [/(?<![\w+/=-])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?=[\w+/-]*\d)[\w+/-]{40,}={0,2}(?![\w+/=-])/g, "[base64 removed]"],
];

/** The text without anything that looks like a key or a token. */
export function redact(text: string): string {
  return SECRETS.reduce((safe, [pattern, replacement]) => safe.replace(pattern, replacement), text);
}

/** When a line was written, if it says so. Without a zone it is UTC, as istiod, agent and Envoy have it. */
export function timeOf(line: string): Date | undefined {
  const [, date, time, zone = "Z"] = TIME.exec(line) ?? [];
  return date === undefined ? undefined : new Date(`${date}T${time}${zone}`);
}

/** The lines of a log that say something. */
export function linesOf(log: string): LogLine[] {
  let at: Date | undefined;
  return redact(log)
    .split(/\r?\n/)
    .flatMap((text) => {
      at = timeOf(text) ?? at;
      return text.trim() === "" ? [] : [{ text, at }];
    });
}
