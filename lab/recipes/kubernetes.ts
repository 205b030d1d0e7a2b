/** Kubernetes, etcd and CoreDNS, from one Go module. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder } from "../paths";
import { goBuild } from "./go";

const version = "1.34.4";
const components = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"];

export const kubernetes: Recipe = {
  name: "kubernetes",
  title: `Kubernetes ${version}, etcd, CoreDNS (Go)`,
  files: ["lab/build/kubernetes", "lab/recipes/kubernetes.ts", "lab/recipes/go.ts"],
  async build({ out, log }) {
    const [major, minor] = version.split(".");
    const pkg = "k8s.io/component-base/version";
    const bin = folder(out, "bin");
    await goBuild({
      module: "kubernetes",
      packages: ["./cmd/..."],
      out: bin,
      log,
      variables: {
        [`${pkg}.gitVersion`]: `v${version}`,
        [`${pkg}.gitMajor`]: major!,
        [`${pkg}.gitMinor`]: minor!,
        [`${pkg}.gitTreeState`]: "clean",
        [`${pkg}.gitCommit`]: "lab",
        [`${pkg}.buildDate`]: "1970-01-01T00:00:00Z",
      },
    });
    for (const component of components) symlinkSync("hyperkube", join(bin, component));
  },
};
