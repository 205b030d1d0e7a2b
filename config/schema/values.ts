/** The values of which the configuration is made, each with what is allowed there as its error. */
import { isIP } from "node:net";
import { z } from "zod";
import { addressProblem, canonicalAddress } from "../../mesh/addresses";
import { normalCertificates, wantedOfCertificates } from "../../mesh/certificates";
import { expandHome } from "../homePath";
import { isHostKey } from "../hostKey";

export const is = (pattern: RegExp, allowed: string) => z.string({ error: allowed }).regex(pattern, allowed);
export const map = <T extends z.core.$ZodLooseShape>(shape: T, allowed = "a map") =>
  z.strictObject(shape, { error: allowed });
export const dnsLabel = is(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "a DNS label: lower-case letters, digits and hyphens, 63 at most",
);
export const dnsName = is(
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "a DNS name in lower case",
);
/** Of a machine, as others see it. Sidecars say theirs, by which istiod knows them, in the one way to write it. */
export const address = z
  .string({ error: "an IP address" })
  .superRefine((text, context) => {
    const problem = isIP(text) === 0 ? undefined : addressProblem(text);
    if (problem !== undefined) context.addIssue(`the address of a machine, which this is not: it ${problem}`);
    else if (isIP(text) === 0) context.addIssue("an IP address");
  })
  .transform((text) => (isIP(text) === 0 ? text : canonicalAddress(text)));
/** Of what is ours to use: Kubernetes's own and Istio's are not. */
export const namespace = dnsLabel.refine(
  (name) => !["istio-system", "kube-system", "kube-public", "kube-node-lease"].includes(name),
  "a namespace of your own: neither Kubernetes's nor Istio's",
);
// Not even where a path is meant: the error of a file that can't be opened would show the key.
export const text = is(/^(?!.*PRIVATE KEY)[^\0\r\n]+$/, "a text of one line");
/** Of a file here; `~` is the home directory. */
export const path = text.transform(expandHome);
/** One certificate or several. What is used of the text is its normal form. */
export const pem = z
  .string({ error: "a certificate in PEM" })
  .superRefine((text, context) => {
    const wanted = wantedOfCertificates(text);
    if (wanted !== undefined) context.addIssue(wanted);
  })
  .transform(normalCertificates);
export const port = z
  .int({ error: "a port, 1 to 65535" })
  .min(1, "a port, 1 to 65535")
  .max(65535, "a port, 1 to 65535");
export const hours = z
  .int({ error: "a whole number of hours, 1 or more" })
  .min(1, "a whole number of hours, 1 or more");
export const hostKey = text.refine(
  isHostKey,
  "a public host key, `ssh-ed25519 AAAA...` or `ecdsa-sha2-nistp256 AAAA...`",
);
/** Of an SSH server. */
export const hostName = text.refine(
  (name) => isIP(name) !== 0 || /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(name),
  "a name or an IP address; user and port have fields of their own",
);
export const secretName = is(/^[A-Za-z][\w.-]*$/, "the name of a secret configuration key");
