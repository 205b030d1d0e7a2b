import { type Outputs, rootNamespacesOf } from "../../diagnosis/facts";
import { inspectCertificate, splitChain } from "../../mesh/certificates";
import { AUTHORIZATION_POLICIES, type EndedIdentity, endedIdentityIn } from "../../mesh/endedIdentity";
import { OWNER_LABEL } from "../../mesh/kubernetesObject";
import { type Kubectl, list } from "../../tools/kubectl";

/**
 * The identities that this stack has ended and whose keys are still good: whoever has one can renew its certificate as
 * long as a root is trusted that was there then.
 */
export async function endedIdentities(
  kubectl: Kubectl,
  outputs: Outputs,
  owner: string,
): Promise<(EndedIdentity & { since: Date })[]> {
  const planes = Object.values(outputs.controlPlanes);
  const policies = await Promise.all(
    rootNamespacesOf(outputs).map((namespace) =>
      list(kubectl, AUTHORIZATION_POLICIES, `--namespace=${namespace}`, `--selector=${OWNER_LABEL}=${owner}`),
    ),
  );
  const ended = policies.flat().flatMap((policy) => endedIdentityIn(policy) ?? []);
  if (ended.length === 0) return [];
  const roots = await Promise.all(
    [...new Set(planes.map(({ namespace }) => namespace))].map((namespace) =>
      kubectl([
        "get",
        "configmap",
        "istio-ca-root-cert",
        `--namespace=${namespace}`,
        "--output=jsonpath={.data.root-cert\\.pem}",
      ]),
    ),
  );
  const begins = roots.flatMap(splitChain).map((root) => inspectCertificate(root).notBefore);
  return ended.filter(({ since }) => begins.some((begin) => begin <= since));
}
