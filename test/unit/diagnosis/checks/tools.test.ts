import { error, warning } from "../../../../diagnosis/checks/check";
import { clusterOf } from "./facts";
import { testChecks } from "./cases";

testChecks("tools", {
  IVM101: [
    {
      when: "pulumi is missing",
      break: (facts) => (facts.tools.pulumi = undefined),
      finds: error("pulumi is not on the PATH"),
    },
    {
      when: "pulumi is of an earlier major version",
      break: (facts) => (facts.tools.pulumi = "v2.25.2"),
      finds: error("pulumi is of version v2.25.2, but the program needs version 3, from 3.215 on"),
    },
    {
      when: "pulumi has no resource hooks yet",
      break: (facts) => (facts.tools.pulumi = "v3.214.0"),
      finds: error("pulumi is of version v3.214.0, but the program needs version 3, from 3.215 on"),
    },
    {
      when: "pulumi does not tell its version",
      break: (facts) => (facts.tools.pulumi = "unknown (it crashed)"),
      finds: error("pulumi is of version unknown (it crashed), but the program needs version 3, from 3.215 on"),
    },
  ],
  IVM102: [
    {
      when: "istioctl is missing",
      break: (facts) => (facts.tools.istioctl = undefined),
      finds: error("istioctl is not on the PATH"),
    },
  ],
  IVM103: [
    {
      when: "istioctl is of another patch version",
      break: (facts) => (facts.tools.istioctl = "1.31.1"),
      finds: error(
        "istioctl is of version 1.31.1, but controlPlane.install.version is 1.31.0",
        "put istioctl 1.31.0 on the PATH, or change controlPlane.install.version",
      ),
    },
  ],
  IVM104: [
    {
      when: "kubectl is missing",
      break: (facts) => {
        facts.tools.kubectl = undefined;
        facts.cluster = { problem: "kubectl is not on the PATH" };
      },
      finds: error("kubectl is not on the PATH"),
    },
  ],
  IVM105: [
    { when: "kubectl is a minor version older", break: (facts) => (facts.tools.kubectl = "v1.33.9"), finds: [] },
    { when: "kubectl is a minor version newer", break: (facts) => (facts.tools.kubectl = "v1.35.0"), finds: [] },
    {
      when: "kubectl is two minor versions newer",
      break: (facts) => (facts.tools.kubectl = "v1.36.0"),
      finds: warning("kubectl is of version v1.36.0, the cluster of v1.34.4: more than one minor version apart"),
    },
    {
      when: "the cluster is two minor versions newer",
      break: (facts) => (clusterOf(facts).version = "v1.36.3"),
      finds: warning("kubectl is of version v1.34.4, the cluster of v1.36.3: more than one minor version apart"),
    },
  ],
  IVM106: [
    { when: "Node.js is just recent enough", break: (facts) => (facts.tools.node = "v22.13.0"), finds: [] },
    { when: "Node.js is of a later major version", break: (facts) => (facts.tools.node = "v24.1.0"), finds: [] },
    {
      when: "Node.js is a minor version too old",
      break: (facts) => (facts.tools.node = "v22.12.9"),
      finds: error("Node.js is of version v22.12.9, but 22.13 is needed"),
    },
    {
      when: "Node.js is a major version too old, with a greater minor one",
      break: (facts) => (facts.tools.node = "v18.20.4"),
      finds: error("Node.js is of version v18.20.4, but 22.13 is needed"),
    },
  ],
  IVM107: [
    {
      when: "the stack can't be read",
      break: (facts) => {
        facts.stackProblem = "passphrase must be set with PULUMI_CONFIG_PASSPHRASE";
        facts.config = undefined;
        facts.outputs = undefined;
        facts.cluster = { problem: "there is no configuration" };
        facts.hosts = [];
      },
      finds: error("passphrase must be set with PULUMI_CONFIG_PASSPHRASE"),
    },
  ],
});
