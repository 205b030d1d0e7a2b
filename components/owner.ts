import * as pulumi from "@pulumi/pulumi";
import { OWNER_LABEL } from "../mesh/kubernetesObject";

/** The metadata labels of an object that the stack with this owner mark creates. */
export function ownerLabels(owner: pulumi.Input<string>, labels: Record<string, pulumi.Input<string>> = {}) {
  return { ...labels, [OWNER_LABEL]: owner };
}
