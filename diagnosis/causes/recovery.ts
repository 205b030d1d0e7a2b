import type { LogLine } from "./logLine";

/** When a place recovered last, as far as its logs tell. */
export interface Recovery {
  /** When it was in touch with istiod again; for istiod, when it began to serve. */
  ready?: Date;
  /** When what is ready since then was started. */
  started?: Date;
  /** When the agent was started last, whatever came of it: with that the start script has done its part. */
  launched?: Date;
}

const STARTED = /\tinfo\tVersion \d/;
/** istiod serves; Envoy has its certificate, which it asks for once it has a configuration; a probe found Envoy ready. */
const READY = /starting secure gRPC discovery service|returned workload certificate from cache|Envoy proxy is ready/;
/** Worth something only if it lasts: whom istiod refuses was connected as well. */
const CONNECTED = /connected to (?:delta )?upstream XDS server/;
const LOST = /upstream .*terminated/;

/** Reads it from the lines of one log. */
export function recoveryOf(lines: LogLine[]): Recovery {
  let recovery: Recovery = {};
  let connected: Date | undefined;
  let started: Date | undefined;
  for (const { text, at } of lines) {
    if (STARTED.test(text)) [started, connected] = [at, undefined];
    if (CONNECTED.test(text)) connected = at;
    if (LOST.test(text)) connected = undefined;
    if (READY.test(text)) recovery = { ready: at, started };
  }
  return { ...(connected === undefined ? recovery : { ready: connected, started }), launched: started };
}

/** The later of two times, of which one may not be known. */
export const later = (a: Date | undefined, b: Date | undefined) =>
  a === undefined || (b !== undefined && b > a) ? b : a;

/** What two logs of one place tell together. */
export const combine = (a: Recovery, b: Recovery): Recovery => ({
  ready: later(a.ready, b.ready),
  started: later(a.started, b.started),
  launched: later(a.launched, b.launched),
});
