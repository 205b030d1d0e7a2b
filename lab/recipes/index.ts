/** All artifacts, each after those it needs; those that take long first. */
import type { Recipe } from "../artifacts";
import { images } from "./images";
import { envoy, istio } from "./istio";
import { kubernetes } from "./kubernetes";
import { pulumiRecipes } from "./pulumi";
import { imageBase, nodeRoot, vmRoot } from "./roots";
import { rpmRoot } from "./rpmRoot";
import { sidecar } from "./sidecar";
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

/** Those of the machine with rpm, which only some want. */
export const rpmRecipes: Recipe[] = [rpmRoot, sidecarRpm];
