import { about, type Check, eachHost, error, ok, skipped, warning } from "./check";
import { type Facts, type HostFailure, isAvailable } from "./facts";
import { fromHost } from "./hosts";

/** The hosts that could not be asked for a reason of this kind. */
function failures({ hosts }: Facts, kind: HostFailure["kind"]) {
  if (hosts.length === 0) return skipped("there are no hosts");
  return hosts.flatMap((host) => {
    if (!("failure" in host)) return about(host.name, ok());
    if (host.failure.kind === "gone") return about(host.name, skipped(`${host.name} is marked as gone`));
    // What comes after what failed is not known.
    if (host.failure.kind === kind) return about(host.name, error(`${host.name}: ${host.failure.message}`));
    const order: HostFailure["kind"][] = ["hostKey", "login", "sudo", "script"];
    const passed = order.indexOf(kind) < order.indexOf(host.failure.kind);
    return about(host.name, passed ? ok() : skipped(`${host.name} could not be asked`));
  });
}

export const network: Check[] = [
  {
    code: "IVM601",
    title: "one can log in to each host",
    why: "Everything on a host is done by SSH, also what `pulumi destroy` undoes there.",
    fix: "ssh -v USER@HOST; a host that is gone for good: set gone: true",
    evaluate: (facts) => failures(facts, "login"),
  },
  {
    code: "IVM602",
    title: "one can become root on each host",
    why: "Packages, units and iptables are root's. docs/host.md has a sudoers file that suffices.",
    fix: "let the user run sudo without a password (docs/host.md)",
    evaluate: (facts) => failures(facts, "sudo"),
  },
  {
    code: "IVM603",
    title: "istiod's name leads to istiod",
    why: "The sidecar connects to the name in istiod's certificate; the hosts file gives its address.",
    fix: "set healDrift: true and pulumi up; getent hosts istiod.istio-system.svc",
    evaluate: (facts) =>
      eachHost(facts, ({ name, inspection: { joined, istiodAddress } }) => {
        const wanted = facts.outputs?.istiod.replace(/:\d+$/, "");
        if (joined === undefined || wanted === undefined) return skipped(`${name} is not joined`);
        return istiodAddress === wanted
          ? ok(wanted)
          : error(`${name}: istiod.istio-system.svc resolves to ${istiodAddress ?? "nothing"}, not ${wanted}`);
      }),
  },
  fromHost("IVM604", {
    title: "istiod can be reached",
    why: "Without a route to istiod's address and port a sidecar never becomes ready.",
    fix: "check routes and firewalls between the host and exposure's address",
    needsIstiod: true,
  }),
  fromHost("IVM605", {
    title: "istiod proves to be of this mesh",
    why: "The sidecar believes an istiod only if its certificate leads to this stack's root and names istiod.istio-system.svc.",
    fix: "see IVM401; nothing between host and istiod may end TLS",
    needsIstiod: true,
  }),
  {
    code: "IVM606",
    title: "each host can fetch the sidecar package",
    why: "Join fetches it from sidecar.url with curl or wget.",
    fix: "open the way to sidecar.url, or set sidecar.file, which is copied by SSH",
    evaluate: (facts) =>
      eachHost(facts, ({ name, packageReachable }) => {
        if (packageReachable === undefined) return skipped("it is copied there by SSH (IVM205)");
        return packageReachable ? ok() : error(`${name}: it can't fetch the package from sidecar.url`);
      }),
  },
  {
    code: "IVM607",
    title: "a pod reaches each service",
    why: "The mesh as its users see it: a real request, by mutual TLS, from the sample client.",
    fix: "npx istio-vm explain",
    evaluate: ({ cluster, outputs }) => {
      if (!isAvailable(cluster)) return skipped("the cluster does not answer");
      if (outputs === undefined) return skipped("nothing is installed yet");
      if (cluster.requests === undefined) return skipped("there is no sampleClient to ask from");
      const requests = Object.entries(cluster.requests);
      if (requests.length === 0) return skipped("there is no service that speaks HTTP");
      return requests.flatMap(([service, { ok: fine, answer }]) =>
        about(service, fine ? ok(`${service}: ${answer}`) : error(`${service}: ${answer}`)),
      );
    },
  },
  {
    code: "IVM608",
    title: "each host is the one whose key is known",
    why: "Another key than the known one means a new machine at the old address, or somebody in between. Nothing was sent.",
    fix: "compare the host's key (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then correct known_hosts",
    evaluate: (facts) => failures(facts, "hostKey"),
  },
  {
    code: "IVM609",
    title: "inbound ports are served",
    why: "The sidecar hands connections on to the application; without one they are refused.",
    fix: "start the application, or correct inboundPorts",
    evaluate: (facts) =>
      eachHost(facts, ({ name, inspection: { listening } }) => {
        const host = facts.config?.hosts.find((candidate) => candidate.name === name);
        if (host === undefined || host.inboundPorts === "*") return skipped(`${name} serves all ports`);
        const silent = host.inboundPorts.filter((port) => !listening.includes(port));
        return silent.length === 0 ? ok() : warning(`${name}: nothing listens on ${silent.join(", ")}`);
      }),
  },
];
