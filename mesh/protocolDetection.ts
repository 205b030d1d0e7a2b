/**
 * Where a server speaks first, as MySQL does. A sidecar that takes plain text as well as mutual TLS waits for what a client
 * says first to tell the one from the other, since Istio 1.9 without an end (meshConfig.protocolDetectionTimeout): a client
 * without a sidecar, which waits for the server, would wait for ever once the host has joined. With a timeout, what has said
 * nothing by then is taken for plain text.
 */
import type { ServicePort } from "./externalService";
import { HOST_LABEL } from "./kubernetesObject";

/** Long enough for a client's first words to be lost and sent again twice: mutual TLS is not to be taken for plain text. */
export const DETECTION_TIMEOUT = "1s";

interface Host {
  name: string;
  inboundPorts: number[] | "*";
}

type Services = { hosts: string[]; ports: ServicePort[] }[];

/** Whether nobody has said of a host's port that clients speak first there. */
export function mayServerSpeakFirst(host: string, port: number, services: Services): boolean {
  const ports = services.filter(({ hosts }) => hosts.includes(host)).flatMap((service) => service.ports);
  return !ports.some(({ protocol, targetPort, port: own }) => protocol !== "TCP" && (targetPort ?? own) === port);
}

/** Whether there is an inbound port of which nobody has said that clients speak first there. */
export const mayWaitForServer = ({ name, inboundPorts }: Host, services: Services): boolean =>
  inboundPorts === "*" || inboundPorts.some((port) => mayServerSpeakFirst(name, port, services));

/** The spec of the EnvoyFilter (networking.istio.io/v1alpha3) by which the sidecar of a host does not wait for longer. */
export function detectionFilterSpec(host: string) {
  return {
    workloadSelector: { labels: { [HOST_LABEL]: host } },
    configPatches: [
      {
        applyTo: "LISTENER",
        match: { context: "SIDECAR_INBOUND", listener: { name: "virtualInbound" } },
        patch: {
          operation: "MERGE",
          value: { listener_filters_timeout: DETECTION_TIMEOUT, continue_on_listener_filters_timeout: true },
        },
      },
    ],
  };
}
