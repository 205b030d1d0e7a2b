import { about, error, warning } from "../../../../diagnosis/checks/check";
import type { Facts, HostFailure } from "../../../../diagnosis/facts";
import { testChecks } from "./cases";
import { hostOf, clusterOf, freshFacts, inspectionOf } from "./facts";

const failing = (kind: HostFailure["kind"], message: string) => (facts: Facts) =>
  (facts.hosts[0] = { name: "vm1", failure: { kind, message } });

const finding = (code: string, message: string) => (facts: Facts) =>
  inspectionOf(facts).findings.push({ code, message });

const UNREACHABLE = "it can't reach istiod at 192.0.2.10:31794 over TCP";

testChecks("network", {
  IVM601: [
    {
      when: "a host does not answer",
      break: failing("login", "192.0.2.21:22 does not answer within 10 s"),
      finds: about("vm1", error("vm1: 192.0.2.21:22 does not answer within 10 s")),
    },
    {
      when: "no host answers",
      break: (facts) =>
        (facts.hosts = facts.hosts.map(({ name }) => ({ name, failure: { kind: "login", message: "no answer" } }))),
      finds: [...about("vm1", error("vm1: no answer")), ...about("vm2", error("vm2: no answer"))],
    },
    { when: "a host is gone", break: failing("gone", "it is marked as gone"), finds: [] },
  ],
  IVM602: [
    {
      when: "sudo asks for a password",
      break: failing("sudo", "admin can't become root: sudo: a password is required"),
      finds: about("vm1", error("vm1: admin can't become root: sudo: a password is required")),
    },
  ],
  IVM603: [
    {
      when: "istiod's name does not resolve",
      break: (facts) => (inspectionOf(facts).istiodAddress = undefined),
      finds: about("vm1", error("vm1: istiod.istio-system.svc resolves to nothing, not 192.0.2.10")),
    },
    {
      when: "istiod's name resolves to another address",
      break: (facts) => (inspectionOf(facts).istiodAddress = "192.0.2.99"),
      finds: about("vm1", error("vm1: istiod.istio-system.svc resolves to 192.0.2.99, not 192.0.2.10")),
    },
  ],
  IVM604: [
    {
      when: "the host can't reach istiod",
      break: finding("IVM604", UNREACHABLE),
      finds: about("vm1", error(`vm1: ${UNREACHABLE}`)),
    },
  ],
  IVM605: [
    {
      when: "something else answers at istiod's address",
      break: (facts) => (hostOf(facts).istiodProof = { problem: "self-signed certificate" }),
      finds: about(
        "vm1",
        error("vm1: istiod at 192.0.2.10:31794 does not prove to be of this mesh: self-signed certificate"),
      ),
    },
    {
      when: "the host's sshd does not forward, so it can't be told",
      break: (facts) => (hostOf(facts).istiodProof = { untried: "administratively prohibited" }),
      finds: [],
    },
  ],
  IVM606: [
    {
      when: "the package can't be fetched",
      in: freshFacts,
      break: (facts) => (inspectionOf(facts).packageReachable = false),
      finds: about("vm1", error("vm1: it can't fetch the package from https://example.org/istio-sidecar.deb")),
    },
    {
      when: "a host's own package can't be fetched",
      in: freshFacts,
      break: (facts) => {
        const [vm1] = facts.config!.hosts;
        vm1!.sidecar = vm1!.sidecar.map((each) => ({ ...each, source: { url: "https://example.org/own.deb" } }));
        inspectionOf(facts).packageReachable = false;
      },
      finds: about("vm1", error("vm1: it can't fetch the package from https://example.org/own.deb")),
    },
    {
      when: "there is none for the host, so that another one's URL does not matter",
      break: (facts) => Object.assign(inspectionOf(facts), { takes: "rpm arm64", packageReachable: false }),
      finds: [],
    },
    {
      when: "nothing could fetch the package",
      break: (facts) => (inspectionOf(facts).packageReachable = undefined),
      finds: [],
    },
  ],
  IVM607: [
    {
      when: "a service refuses",
      break: (facts) => (clusterOf(facts).requests!["web.vm"] = { ok: false, answer: "HTTP 503" }),
      finds: about("web.vm", error("web.vm: HTTP 503")),
    },
  ],
  IVM608: [
    {
      when: "a host has another key",
      break: failing("hostKey", "192.0.2.21:22 answers with another host key than the one that is known"),
      finds: about("vm1", error("vm1: 192.0.2.21:22 answers with another host key than the one that is known")),
    },
  ],
  IVM609: [
    {
      when: "nothing listens on two ports",
      break: (facts) => {
        facts.config!.hosts[0]!.inboundPorts = [22000, 8080, 9000];
      },
      finds: about("vm1", warning("vm1: nothing listens on 22000, 9000")),
    },
    {
      when: "any port is meant",
      break: (facts) => {
        facts.config!.hosts[0]!.inboundPorts = "*";
        inspectionOf(facts).listening = [];
      },
      finds: [],
    },
  ],
  IVM610: [
    {
      when: "the script there failed",
      break: failing("script", "istio-vm inspect failed: mktemp: No space left on device"),
      finds: about("vm1", error("vm1: istio-vm inspect failed: mktemp: No space left on device")),
    },
  ],
});
