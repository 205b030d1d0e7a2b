/** How a host's sidecar finds out whether the host can serve: fields and defaults as Kubernetes has them. */
import { z } from "zod";
import { is, map, port, text } from "./values";

const seconds = (least: number) => {
  const wanted = `a whole number, ${least} or more`;
  return z.int({ error: wanted }).min(least, wanted);
};

const how = {
  /** It answers with a status from 200 to 399. */
  httpGet: map({
    port,
    path: is(/^\/[^\s'"]*$/, "a path that begins with /").default("/"),
    /** HTTPS: whatever its certificate. Default: HTTP. */
    scheme: z.enum(["HTTP", "HTTPS"], { error: "HTTP or HTTPS" }).default("HTTP"),
    httpHeaders: z.array(map({ name: text, value: text }), { error: "a list of {name, value}" }).default([]),
  }).optional(),
  /** It can be connected to. */
  tcpSocket: map({ port }).optional(),
  /** A command on the host, as the user istio-proxy, ends with 0. */
  exec: map({ command: z.array(text, { error: "a list of texts" }).min(1, "a command") }).optional(),
};

export const readinessProbe = map({
  ...how,
  /** Default: 0. */
  initialDelaySeconds: seconds(0).default(0),
  /** Default: 10. */
  periodSeconds: seconds(1).default(10),
  /** Default: 1. */
  timeoutSeconds: seconds(1).default(1),
  /** Successes in a row after which a sick host is well. Default: 1. */
  successThreshold: seconds(1).default(1),
  /** Failures in a row after which it is sick. Default: 3. */
  failureThreshold: seconds(1).default(3),
}).refine(
  (probe) => Object.keys(how).filter((name) => Object.hasOwn(probe, name)).length === 1,
  "one of httpGet, tcpSocket and exec",
);
