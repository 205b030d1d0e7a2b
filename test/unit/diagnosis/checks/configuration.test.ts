import type { Config } from "../../../../config";
import { about, error, warning } from "../../../../diagnosis/checks/check";
import type { Facts } from "../../../../diagnosis/facts";
import { testChecks } from "./cases";

const configure = (change: (config: Config) => unknown) => (facts: Facts) => change(facts.config!);

const install = (operator: Record<string, unknown>) => ({ install: { version: "1.31.0", operator, operatorText: "" } });

const sidecarFile =
  (found: Facts["local"]["sidecarFiles"][number]["found"]) =>
  (facts: Facts): void => {
    const good = "c".repeat(64);
    facts.local.sidecarFiles = [
      { place: "sidecar.deb.amd64", sha256: good, found: { sha256: good } },
      { place: "sidecar.rpm.amd64", sha256: "a".repeat(64), found },
    ];
  };

const lifetimes = (workload: number, early: number, intermediate = 43800, root = 87600) =>
  configure((config) => {
    config.workloadCertificate = { validityHours: workload, earlyRenewalHours: early };
    Object.assign(config.ca!, { intermediateValidityHours: intermediate, rootValidityHours: root });
  });

testChecks("configuration", {
  IVM201: [
    {
      when: "the configuration has mistakes",
      break: (facts) => {
        facts.configProblems = ["controlPlane: missing; expected it", "host: unknown key"];
        facts.config = undefined;
        facts.cluster = { problem: "the configuration is not valid" };
        facts.hosts = [];
      },
      finds: [...error("controlPlane: missing; expected it"), ...error("host: unknown key")],
    },
  ],
  IVM202: [
    {
      when: "a host key is not known",
      break: (facts) => {
        const problem = "192.0.2.21: ~/.ssh/known_hosts has no ed25519 or ecdsa host key for it";
        facts.local.unknownHostKeys = [{ host: "vm1", problem }];
        facts.hosts[0] = { name: "vm1", failure: { kind: "login", message: problem } };
      },
      finds: about("vm1", error("vm1: 192.0.2.21: ~/.ssh/known_hosts has no ed25519 or ecdsa host key for it")),
    },
  ],
  IVM203: [
    {
      when: "a host's key is not verified",
      break: configure(({ hosts }) => (hosts[1]!.ssh.verifyHostKey = false)),
      finds: about("vm2", warning("vm2: whoever answers at its address is believed")),
    },
    {
      when: "a host's key is not verified against known_hosts, but given",
      break: configure(({ hosts }) => {
        hosts[0]!.ssh = { ...hosts[0]!.ssh, verifyHostKey: false, hostKey: "ssh-ed25519 AAAA" };
      }),
      finds: [],
    },
    {
      when: "no host's key is verified",
      break: configure(({ hosts }) => hosts.forEach(({ ssh }) => (ssh.verifyHostKey = false))),
      finds: [
        ...about("vm1", warning("vm1: whoever answers at its address is believed")),
        ...about("vm2", warning("vm2: whoever answers at its address is believed")),
      ],
    },
  ],
  IVM204: [
    {
      when: "a key has a passphrase",
      break: (facts) => {
        facts.local.unusableKeys = [{ place: "hosts[0].ssh.key", problem: "the key has a passphrase" }];
        facts.hosts[0] = { name: "vm1", failure: { kind: "login", message: "192.0.2.21:22 does not accept the key" } };
      },
      finds: error("hosts[0].ssh.key: the key has a passphrase"),
      also: { IVM601: "a key that can't be used logs in nowhere" },
    },
  ],
  IVM205: [
    { when: "the package is the one", break: sidecarFile({ sha256: "a".repeat(64) }), finds: [] },
    {
      when: "the package is another",
      break: sidecarFile({ sha256: "b".repeat(64) }),
      finds: error(`the file has SHA-256 ${"b".repeat(64)}, but sidecar.rpm.amd64.sha256 is ${"a".repeat(64)}`),
    },
    {
      when: "the package is not there",
      break: sidecarFile({ problem: "can't be read: ENOENT" }),
      finds: error("sidecar.rpm.amd64.file can't be read: ENOENT", "correct sidecar.rpm.amd64.file"),
    },
  ],
  IVM206: [
    {
      when: "the tag is the version",
      break: configure((config) => (config.controlPlane = install({ spec: { tag: "1.31.0" } }))),
      finds: [],
    },
    {
      when: "the tag is a variant of it",
      break: configure((config) => (config.controlPlane = install({ spec: { tag: "1.31.0-distroless" } }))),
      finds: [],
    },
    {
      when: "the tag is another version",
      break: configure((config) => (config.controlPlane = install({ spec: { tag: "1.30.2" } }))),
      finds: warning("controlPlane.install.operator.spec.tag is 1.30.2, but controlPlane.install.version is 1.31.0"),
    },
    {
      when: "the tag is another version that begins like it",
      break: configure((config) => (config.controlPlane = install({ spec: { tag: "1.31.01" } }))),
      finds: warning("controlPlane.install.operator.spec.tag is 1.31.01, but controlPlane.install.version is 1.31.0"),
    },
    {
      when: "YAML read the tag as a number",
      break: configure((config) => (config.controlPlane = install({ spec: { tag: 1.31 } }))),
      finds: warning("controlPlane.install.operator.spec.tag is 1.31, but controlPlane.install.version is 1.31.0"),
    },
    {
      when: "istiod alone has another version",
      break: configure(
        (config) => (config.controlPlane = install({ spec: { components: { pilot: { tag: "1.30.2" } } } })),
      ),
      finds: warning(
        "controlPlane.install.operator.spec.components.pilot.tag is 1.30.2, but controlPlane.install.version is 1.31.0",
      ),
    },
    {
      when: "the values have another version, and the spec says nothing",
      break: configure(
        (config) => (config.controlPlane = install({ spec: { tag: null, values: { global: { tag: "x" } } } })),
      ),
      finds: warning(
        "controlPlane.install.operator.spec.values.global.tag is x, but controlPlane.install.version is 1.31.0",
      ),
    },
  ],
  IVM207: [
    { when: "everything is as short as it may be", break: lifetimes(2, 1, 2, 2), finds: [] },
    {
      when: "renewal begins when the certificate does",
      break: lifetimes(720, 720),
      finds: error("earlyRenewalHours is 720, but certificates are valid for 720 hours only"),
    },
    {
      when: "hosts' certificates outlive the intermediate",
      break: lifetimes(101, 1, 100),
      finds: warning("hosts' certificates (101 hours) outlive their issuer (100 hours)"),
    },
    {
      when: "the intermediate outlives the root",
      break: lifetimes(100, 1, 201, 200),
      finds: warning("the intermediate (201 hours) outlives the root (200 hours)"),
    },
  ],
  IVM208: [
    {
      when: "SSH_AUTH_SOCK leads nowhere",
      break: (facts) => (facts.local.agentProblem = "SSH_AUTH_SOCK is /tmp/a, where no ssh-agent answers (ENOENT)"),
      finds: error("SSH_AUTH_SOCK is /tmp/a, where no ssh-agent answers (ENOENT)"),
    },
    {
      when: "SSH_AUTH_SOCK leads nowhere, and there are no hosts",
      break: (facts) => {
        facts.local.agentProblem = "SSH_AUTH_SOCK is /tmp/a, where no ssh-agent answers (ENOENT)";
        Object.assign(facts.config!, { hosts: [], services: [] });
        facts.hosts = [];
      },
      finds: [],
    },
  ],
});
