import { HEAL } from "../advice";
import {
  about,
  type Check,
  error,
  isGone,
  notAsked,
  ofAllHosts,
  ofCluster,
  ofHosts,
  ofJoined,
  ok,
  skipped,
  warning,
  wasInspected,
  hostConfig,
} from "./check";
import { hostsEntries } from "../../mesh/environment";
import type { HostFailure } from "../facts";
import { fromHost } from "./hosts";

/** Kinds of failure in the order in which they show: what comes after the first that failed is not known. */
const STAGES = { gone: 0, login: 1, hostKey: 1, sudo: 2, script: 3 };

/** A check that finds the hosts that could not be asked for a reason of this kind. */
function failed(kind: HostFailure["kind"]): Check["evaluate"] {
  return ofAllHosts((host, { local: { unknownHostKeys } }) => {
    if (wasInspected(host)) return ok();
    if (isGone(host)) return skipped(`${host.name} is marked as gone`);
    if (unknownHostKeys.some((unknown) => unknown.host === host.name)) {
      return skipped(`nothing was sent to ${host.name}: its host key is not known (IVM202)`);
    }
    const { failure } = host;
    if (failure.kind === kind) return error(`${host.name}: ${failure.message}`);
    return STAGES[kind] < STAGES[failure.kind] ? ok() : notAsked(host);
  });
}

export const network: Check[] = [
  {
    code: "IVM601",
    title: "one can log in to each host",
    why: "Everything on a host is done by SSH, also what `pulumi destroy` undoes there.",
    fix: "ssh -v USER@HOST; if it is gone for good, set gone: true for it",
    evaluate: failed("login"),
  },
  {
    code: "IVM602",
    title: "one can become root on each host",
    why: "Packages, units and iptables are root's. docs/host.md has a sudoers file that suffices.",
    fix: "let the user run sudo without a password (docs/host.md)",
    evaluate: failed("sudo"),
  },
  {
    code: "IVM603",
    title: "istiod's name leads to istiod",
    why: "The sidecar connects to the name in istiod's certificate; the hosts file gives its address.",
    fix: HEAL,
    evaluate: ofJoined((_joined, { name, inspection: { istiodAddress } }, { outputs }) => {
      const istiod = outputs?.meshHosts[name]?.istiod;
      if (istiod === undefined) return skipped("istiod's address is not known yet");
      if (hostsEntries(istiod).length === 0) return skipped(`${name} dials istiod as ${istiod.addresses.join(", ")}`);
      return istiodAddress !== undefined && istiod.addresses.includes(istiodAddress)
        ? ok(istiodAddress)
        : error(
            `${name}: ${istiod.name} resolves to ${istiodAddress ?? "nothing"}, not ${istiod.addresses.join(", ")}`,
          );
    }),
  },
  fromHost("IVM604", {
    title: "istiod can be reached",
    why: "Without a route to istiod's address and port a sidecar never becomes ready.",
    fix: "check routes and firewalls between the host and exposure's address",
    needsIstiod: true,
  }),
  {
    code: "IVM605",
    title: "istiod proves to be of this mesh",
    why: "The sidecar believes an istiod only if its certificate leads to the mesh's root and names istiod.",
    fix: "see IVM401; nothing between host and istiod may end TLS",
    evaluate: ofHosts(({ name, istiodProof: proof }, { outputs }) => {
      if (outputs === undefined) return skipped("istiod's address is not known yet");
      if (proof === undefined) return skipped("the root certificate is not known");
      if (proof === "proven") return ok();
      return "untried" in proof
        ? skipped(`istiod can't be reached through the SSH session to ${name}: ${proof.untried}`)
        : error(`${name}: istiod at ${outputs.istiod} does not prove to be of this mesh: ${proof.problem}`);
    }),
  },
  {
    code: "IVM606",
    title: "each host can fetch the sidecar package",
    why: "Join fetches it from its url with curl or wget.",
    fix: "open the way to that url, or give the package as a file, which is sent by SSH",
    evaluate: ofHosts(({ name, inspection: { takes, packageReachable } }, { config }) => {
      const { sidecar } = config.hosts.find((host) => host.name === name)!;
      const source = sidecar.find(({ format, architecture }) => `${format} ${architecture}` === takes)?.source;
      if (source === undefined) return skipped(`there is none for ${name} (IVM730)`);
      if ("file" in source) return skipped("it is sent there by SSH (IVM205)");
      if ("secret" in source) return skipped("its URL is a secret, which is not brought there");
      if (packageReachable === undefined) return skipped(`${name} has nothing to fetch it with (IVM709)`);
      return packageReachable ? ok() : error(`${name}: it can't fetch the package from ${source.url}`);
    }),
  },
  {
    code: "IVM607",
    title: "a pod reaches each service",
    why: "The mesh as its users see it: a real request, by mutual TLS, from the sample client.",
    fix: "npx istio-vm explain",
    evaluate: ofCluster(["requests"], ({ requests: asked }, { outputs }) => {
      if (outputs === undefined) return skipped("nothing is installed yet");
      if (asked === undefined) return skipped("there is no sampleClient to ask from");
      const requests = Object.entries(asked);
      if (requests.length === 0) return skipped("there is no service that speaks HTTP");
      return requests.flatMap(([service, { ok: fine, answer }]) =>
        about(service, fine ? ok(`${service}: ${answer}`) : error(`${service}: ${answer}`)),
      );
    }),
  },
  {
    code: "IVM608",
    title: "each host is the one whose key is known",
    why: "Another key than the known one means a new machine at the old address, or somebody in between. Nothing was sent.",
    fix: "compare the host's key (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then correct known_hosts",
    evaluate: failed("hostKey"),
  },
  {
    code: "IVM609",
    title: "inbound ports are served",
    why: "The sidecar hands connections on to the application; without one they are refused.",
    fix: "start the application, or correct inboundPorts",
    evaluate: ofHosts(({ name, inspection: { listening } }, { config }) => {
      const { inboundPorts } = hostConfig(config, name);
      if (inboundPorts === "*") return skipped(`${name} serves all ports`);
      const silent = inboundPorts.filter((port) => !listening.includes(port));
      return silent.length === 0 ? ok() : warning(`${name}: nothing listens on ${silent.join(", ")}`);
    }),
  },
  {
    code: "IVM610",
    title: "each host can be looked at",
    why: "Doctor runs a script there that changes nothing. Where it ends early, so would join.",
    fix: "ssh USER@HOST, and see what the message names",
    evaluate: failed("script"),
  },
];
