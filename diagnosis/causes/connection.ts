import { HEAL } from "../advice";
import type { Cause } from "./cause";

const HOSTS_ENTRY = `${HEAL} puts istiod's entry back into /etc/hosts`;

/** The way from a host to istiod. */
export const connection: Cause[] = [
  {
    code: "IVM921",
    title: "nothing listens at istiod's address",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern: /while dialing: dial tcp (?<address>\S+): connect: connection refused/,
        sentence: "{address} refuses connections: istiod does not run, or listens on another port.",
      },
    ],
    fix: "kubectl -n istio-system get pods,services; pulumi stack output istiod; if the port is another one: pulumi refresh && pulumi up",
    follows: ["IVM901", "IVM902", "IVM904"],
  },
  {
    code: "IVM922",
    title: "istiod's address can't be reached",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern:
          /while dialing: dial tcp (?<address>\S+): (?:connect: )?(?<reason>no route to host|network is unreachable|i\/o timeout)/,
        sentence: "{where} gets no answer from {address} ({reason}): a wrong address, a missing route or a firewall.",
      },
    ],
    fix: "on {where}: ip route get ADDRESS; open istiod's port in the firewalls between; pulumi refresh && pulumi up if a node's address has changed",
  },
  {
    code: "IVM923",
    title: "what listens at istiod's port speaks no TLS",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern: /tls: first record does not look like a TLS handshake/,
        sentence: "{where} greets istiod by TLS, and who listens there answers in plain text: it is another port.",
      },
    ],
    fix: "ISTIO_PILOT_PORT must lead to istiod's 15012 (15010 is plain text): pulumi refresh && pulumi up",
  },
  {
    code: "IVM924",
    title: "what listens at istiod's port is something else",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern: /unexpected HTTP status code received from server: (?<status>\d+)/,
        sentence:
          "Where {where} looks for istiod a web server answers with {status}: it is another port, or a proxy stands before it.",
      },
    ],
    fix: "ISTIO_PILOT_PORT must lead to istiod's 15012 (443 and 15017 are its webhooks): pulumi refresh && pulumi up",
  },
  {
    code: "IVM925",
    title: "the resolver goes round in circles",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern:
          /while dialing: dial tcp: lookup (?<name>\S+) on (?<server>127\.[\d.]+|\[::1\]):53: .*(?:server misbehaving|i\/o timeout|connection refused)/,
        sentence:
          "{where}'s own resolver at {server} could not tell the address of {name}: its questions come back to the sidecar, or it does not run.",
      },
    ],
    fix: "remove ISTIO_META_DNS_CAPTURE from {where}'s environment, or name real nameservers in /etc/resolv.conf (IVM719)",
  },
  {
    code: "IVM926",
    title: "istiod's name leads nowhere",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy"],
        pattern:
          /while dialing: dial tcp: lookup (?<name>\S+)(?: on (?<server>\S+))?: (?<reason>no such host|server misbehaving|.*i\/o timeout)/,
        sentence: "{where} could not find the address of {name}, which /etc/hosts should have ({reason}).",
      },
    ],
    fix: HOSTS_ENTRY,
  },
];
