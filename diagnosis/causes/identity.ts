import { HEAL } from "../advice";
import type { Cause } from "./cause";

/** Who a host says that it is, and by what it proves it. */
export const identity: Cause[] = [
  {
    code: "IVM911",
    title: "istiod refuses a host's identity",
    severity: "error",
    signs: [
      {
        from: ["istiod", "agent", "Envoy"],
        pattern: /no identities \(\[(?<identity>[^\]]*)\]\) matched (?<namespace>[^/\s]*)\/(?<account>[^\s{"]*)/,
        sentence:
          "A certificate for {identity} was shown by a sidecar that says it is {account} of the namespace {namespace} (ISTIO_NAMESPACE, SERVICE_ACCOUNT).",
      },
    ],
    fix: `${HEAL}; if cert-chain.pem is the wrong one, remove it on the host before (IVM407)`,
  },
  {
    code: "IVM912",
    title: "a host has nothing to prove its identity by",
    severity: "error",
    signs: [
      {
        from: ["istiod"],
        pattern: /Failed to authenticate client from (?<client>\S+): .*no HTTP authorization header/,
        sentence: "{client} (a host, or the node that forwards for it) came with neither a certificate nor a token.",
      },
      {
        from: ["istiod"],
        pattern: /Failed to authenticate client from (?<client>\S+): .*failed to validate the JWT[^:]*: (?<reason>.*)/,
        sentence: "The token of {client} was refused: {reason}.",
      },
      {
        from: ["agent"],
        pattern: /cannot parse the cert chain, using token instead: .*open (?<file>\S+): (?<reason>.+)/,
        sentence: "{where} has no certificate to show istiod: {file}: {reason}.",
      },
      {
        from: ["agent", "Envoy"],
        pattern: /request authenticate failure|authentication failure/,
        sentence: "istiod did not accept what {where} proves its identity by, neither a certificate nor a token.",
      },
    ],
    fix: `${HEAL} sends them again`,
    follows: ["IVM902"],
  },
  {
    code: "IVM913",
    title: "a file may not be read",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy", "start"],
        pattern: /open (?<file>\S+): permission denied/,
        sentence: "The sidecar on {where} runs as istio-proxy and may not read {file}.",
      },
    ],
    fix: "on {where}: chown istio-proxy /etc/certs/*.pem && systemctl restart istio",
  },
];
