/**
 * Whether a mesh sends anybody to an address any more, from what istiod's debug interface answers (pilot/pkg/xds/debug.go,
 * the same from Istio 1.22 to 1.31).
 */

import { inboundSuffix, type ServiceName } from "./externalService";

/** An endpoint, as /debug/endpointShardz has it; until 1.23 of one address. */
interface ShardedEndpoint {
  Addresses?: string[];
  Address?: string;
  ServiceAccount?: string;
}

/** /debug/endpointShardz: host name -> namespace -> shards. */
export type EndpointShards = Record<
  string,
  Record<string, { Shards?: Record<string, ShardedEndpoint[] | null> } | null>
>;

/**
 * The services of which this workload is an endpoint, by its address and the name of its account: istiod takes that for one
 * of the namespace of the service, which need not be the host's. Not what its own sidecar alone knows (inboundEntrySpec).
 */
export function servicesAt(shards: EndpointShards, address: string, identity: string, host: string): string[] {
  const isIt = ({ Addresses = [], Address, ServiceAccount }: ShardedEndpoint) =>
    [...Addresses, Address].includes(address) && accountIn(ServiceAccount) === accountIn(identity);
  return Object.entries(shards)
    .filter(([, byNamespace]) =>
      Object.values(byNamespace).some((each) => Object.values(each?.Shards ?? {}).some((list) => list?.some(isIt))),
    )
    .map(([service]) => service)
    .filter((service) => !service.endsWith(inboundSuffix(host)))
    .sort();
}

const accountIn = (identity = "") => identity.replace(/^.*\/sa\//, "");

/** An object that istiod knows, as /debug/configz has it. */
export interface KnownConfig {
  kind: string;
  metadata: { name: string; namespace?: string };
  /** Without what is a default: the mode DISABLE is. */
  spec?: { trafficPolicy?: { tls?: { mode?: string } } };
}

/** Of these services, those of which istiod does not know that clients shall speak plain text to them (ServiceTraffic). */
export const notPlain = (configs: KnownConfig[], services: ServiceName[]): string[] =>
  services
    .filter(
      ({ name, namespace }) =>
        !configs.some(
          ({ kind, metadata, spec }) =>
            kind === "DestinationRule" &&
            metadata.name === name &&
            metadata.namespace === namespace &&
            (spec?.trafficPolicy?.tls?.mode ?? "DISABLE") === "DISABLE" &&
            spec?.trafficPolicy?.tls !== undefined,
        ),
    )
    .map(({ name, namespace }) => `${name}.${namespace}`);

/** A proxy's state of what istiod has sent it, as /debug/syncz has it. */
export interface SyncStatus {
  proxy?: string;
  endpoint_sent?: string;
  endpoint_acked?: string;
  /** By type; since Istio 1.23. */
  resources?: Record<string, object>;
}

/** The name of a host's own proxy, `HOST.NAMESPACE`. */
export const proxyOf = (host: string, identity: string) => `${host}.${/\/ns\/([^/]+)\/sa\//.exec(identity)?.[1]}`;

/**
 * What each proxy that takes endpoints was sent last, by its name. Not of the host's own: where the machine is off, istiod
 * takes most of a minute to see that it does not answer.
 */
export const sentTo = (syncz: SyncStatus[], own?: string) =>
  new Map(
    syncz.flatMap(({ proxy, endpoint_sent: sent }) => (proxy && proxy !== own && sent ? [[proxy, sent] as const] : [])),
  );

/**
 * Of the proxies that istiod had sent endpoints before it was told to push to all, those that have not yet been sent them
 * again and confirmed it. One that went away meanwhile is some other istiod's, which tells of it, or has ended.
 */
export function pendingProxies(before: Map<string, string>, now: SyncStatus[]): string[] {
  return now
    .filter(({ proxy, endpoint_sent: sent, endpoint_acked: acked }) => {
      const earlier = before.get(proxy ?? "");
      return earlier !== undefined && (sent === earlier || sent !== acked);
    })
    .map(({ proxy }) => proxy!)
    .sort();
}
