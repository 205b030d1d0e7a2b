/** All artifacts, each after those it needs; those that take long first. */
import type { Recipe } from "../artifacts";
import { debs } from "./debs";
import { echo } from "./echo";
import { earlierImages, images } from "./images";
import { earlierIstio, envoy, istio } from "./istio";
import { kubernetes } from "./kubernetes";
import { pulumiRecipes } from "./pulumi";
import { imageBase, nodeRoot, vmRoot } from "./roots";
import { rpmRoot } from "./rpmRoot";
import { earlierSidecar, sidecar } from "./sidecar";
import { sidecarRpm } from "./sidecarRpm";

export const recipes: Recipe[] = [
  kubernetes,
  nodeRoot,
  vmRoot,
  imageBase,
  envoy,
  istio,
  images,
  sidecar,
  ...pulumiRecipes,
];

/** What only tests want: Istio's echo, the machine with rpm, and packages for VMs. */
export const testRecipes: Recipe[] = [echo, rpmRoot, sidecarRpm, debs];

/** An earlier Istio, to be upgraded from: only make test-upgrade wants it. */
export const earlierRecipes: Recipe[] = [earlierIstio, earlierImages, earlierSidecar];
