import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { type KubernetesObject, ownerLabels } from "../mesh/kubernetesObject";
import { forProvider, inStages, objectName, withoutLateFields } from "../mesh/manifests";

export interface IstioControlPlaneArgs {
  /** What `istioctl manifest generate` makes. Plain values, not Inputs: they decide which resources there are. */
  manifest: KubernetesObject[];
  /** Services of istio-system whose type somebody else sets, such as ControlPlaneExposure. Default: none. */
  exposed?: string[];
  /** What istiod reads but when it starts, in a few digits: where that changes, it starts anew. Default: nothing. */
  readAtStart?: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * Istio's control plane and ingress gateway: what `istioctl install` would apply, with every object a resource of its
 * own, so that a preview shows what an upgrade or a setting changes.
 *
 * The provider must have enableConfigMapMutable and enableSecretMutable set: it would otherwise delete and recreate a
 * changed ConfigMap under a running istiod.
 */
export class IstioControlPlane extends pulumi.ComponentResource {
  constructor(name: string, args: IstioControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:IstioControlPlane", name, {}, opts);
    const { manifest, exposed = [], owner, readAtStart } = args;
    const applied: pulumi.Resource[] = [];
    for (const stage of inStages(manifest.map((object) => forProvider(withoutLateFields(object, exposed))))) {
      const dependsOn = [...applied];
      const track = (object: KubernetesObject) =>
        trackedObject(
          `${name}-${objectName(object)}`,
          readAtStart !== undefined && isIstiod(object) ? withAnnotation(object, readAtStart) : object,
          owner,
          { parent: this, dependsOn },
        );
      applied.push(...stage.map(track));
    }
    this.registerOutputs();
  }
}

const isIstiod = ({ kind, metadata }: KubernetesObject) => kind === "Deployment" && metadata.labels?.app === "istiod";

/** A Deployment whose pods have it. */
function withAnnotation(object: KubernetesObject, value: pulumi.Input<string>): KubernetesObject {
  const spec = object.spec as { template: { metadata?: { annotations?: object } } };
  const { metadata = {} } = spec.template;
  const annotations = { ...metadata.annotations, "pulumi-istio-vm/read-at-start": value };
  return { ...object, spec: { ...spec, template: { ...spec.template, metadata: { ...metadata, annotations } } } };
}

/**
 * The resource for an object of any kind. Core kinds need their own classes: CustomResource takes only an apiVersion
 * with a group.
 */
function trackedObject(
  name: string,
  object: KubernetesObject,
  owner: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): pulumi.CustomResource {
  const args = { ...object, metadata: { ...object.metadata, labels: ownerLabels(owner, object.metadata.labels) } };
  if (object.apiVersion !== "v1") return new CustomResource(name, args, opts);
  type AnyKind = new (name: string, args: object, opts: pulumi.CustomResourceOptions) => pulumi.CustomResource;
  const CoreKind = (core as unknown as Record<string, AnyKind | undefined>)[object.kind];
  if (CoreKind === undefined) throw new Error(`@pulumi/kubernetes has no kind v1/${object.kind}`);
  return new CoreKind(name, args, opts);
}
