import { HEAL } from "../advice";
import type { Cause } from "./cause";

const SYNCHRONIZE = "timedatectl set-ntp true";
const NEW_CA =
  "npx istio-vm doctor says what is wrong with it and how to mend that (IVM401 to IVM404); then kubectl -n istio-system rollout restart deployment istiod";
/** Both what was sent and what the agent makes of it. */
const RESEND = (file: string) =>
  `rm -f /etc/certs/${file} /var/lib/istio/identity/${file} on {where}, then ${HEAL} (IVM407, IVM409)`;
const ISTIOD_CA = /failed to create CA KeyCertBundle.*/.source;
const DATES = /x509: certificate has expired or is not yet valid: current time (?<now>\S+) is /.source;

/** What goes wrong with certificates, on the way between host and istiod and within istiod. */
export const certificates: Cause[] = [
  {
    code: "IVM901",
    title: "a certificate is not valid yet",
    severity: "error",
    signs: [
      {
        from: ["istiod"],
        pattern: new RegExp(`${ISTIOD_CA}${DATES}before (?<begins>[^\\s)"]+)`),
        sentence:
          "istiod does not start: its CA's certificate is valid from {begins}, and istiod's node believes that it is {now}.",
        fix: `on the node: ${SYNCHRONIZE}; then kubectl -n istio-system rollout restart deployment istiod`,
      },
      {
        from: ["istiod", "agent", "Envoy"],
        pattern: new RegExp(`${DATES}before (?<begins>[^\\s)"]+)`),
        sentence:
          "{where} was shown a certificate that is valid from {begins}, and believes that it is {now}: its clock is behind.",
      },
    ],
    fix: `on {where}: ${SYNCHRONIZE}`,
  },
  {
    code: "IVM902",
    title: "a certificate has expired",
    severity: "error",
    signs: [
      {
        from: ["istiod"],
        pattern: new RegExp(`${ISTIOD_CA}${DATES}after (?<ended>[^\\s)"]+)`),
        sentence: "istiod does not start: its CA's certificate ended at {ended}, and it was {now}.",
        fix: NEW_CA,
      },
      {
        from: ["istiod", "agent", "Envoy"],
        pattern: new RegExp(`${DATES}after (?<ended>[^\\s)"]+)`),
        sentence: "{where} was shown a certificate that ended at {ended}, and it was {now} there.",
        fix: `on {where}: date -u; if that is wrong, ${SYNCHRONIZE}, else pulumi up renews what is about to end`,
      },
      {
        from: ["agent"],
        pattern: /cert expired, using token instead/,
        sentence: "{where}'s own certificate has expired, so it has nothing to prove its identity by.",
        fix: "on {where}: date -u; if that is right, pulumi up, which gives it a new token, or a new certificate where what it was sent has ended (IVM411)",
      },
    ],
    fix: "pulumi up",
  },
  {
    code: "IVM903",
    title: "istiod refuses a host's certificate by its dates",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern: /remote error: tls: expired certificate/,
        sentence:
          "By istiod's clock {where}'s certificate is not valid: not yet, or not any more; the two clocks differ, for {where} itself sends none that has expired.",
      },
    ],
    fix: `npx istio-vm doctor (IVM501 to IVM505) shows the clocks; on whichever is wrong: ${SYNCHRONIZE}`,
  },
  {
    code: "IVM904",
    title: "a certificate comes from an unknown authority",
    severity: "error",
    signs: [
      {
        from: ["istiod"],
        pattern: new RegExp(`${ISTIOD_CA}x509: certificate signed by unknown authority`),
        sentence: "istiod does not start: in its secret cacerts the CA's certificate does not lead to the root.",
        fix: NEW_CA,
      },
      {
        from: ["agent", "Envoy"],
        pattern: /x509: certificate signed by unknown authority/,
        sentence: "{where} has another root certificate than the one that istiod's certificate leads to.",
        fix: RESEND("root-cert.pem"),
      },
      {
        from: ["agent", "Envoy"],
        pattern: /remote error: tls: unknown certificate authority/,
        sentence: "{where}'s certificate does not lead to the root that istiod trusts.",
        fix: RESEND("cert-chain.pem"),
      },
      {
        from: ["Envoy"],
        pattern: /CERTIFICATE_VERIFY_FAILED(?!.*(?:SAN_matcher|_CRL|_revoked)).* (?<cluster>(?:outbound|inbound)\|\S+)/,
        sentence: "{where}'s Envoy could not trace the server of {cluster} to a root that it trusts.",
        fix: "npx istio-vm doctor (IVM405, IVM409); look for caCertificates in kubectl get destinationrules -A -o yaml",
      },
    ],
    fix: "npx istio-vm doctor (IVM401 to IVM409)",
  },
  {
    code: "IVM905",
    title: "istiod's certificate is for another name",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern: /x509: certificate is valid for (?<names>.*), not (?<name>[\w.-]+)/,
        sentence: "{where} knows istiod as {name}, but its certificate is for {names}.",
      },
      {
        from: ["agent", "Envoy"],
        pattern: /x509: cannot validate certificate for (?<name>\S+) because it doesn't contain any IP SANs/,
        sentence: "{where} knows istiod by its address {name}, which its certificate does not name.",
      },
    ],
    fix: "remove PILOT_ADDRESS, CA_ADDR and PROXY_CONFIG from {where}'s environment: /etc/hosts leads istiod.istio-system.svc there",
  },
  {
    code: "IVM906",
    title: "a key does not belong to its certificate",
    severity: "error",
    signs: [
      {
        from: ["istiod", "agent", "Envoy"],
        pattern: /tls: private key (?:type )?does not match public key/,
        sentence: "The private key on {where} is not the one that its certificate was made for.",
      },
    ],
    fix: RESEND("key.pem"),
  },
];
