import type { Cause } from "./cause";

/** Requests between workloads, as Envoy's access log tells of them, and the configuration that Envoy gets for them. */
export const traffic: Cause[] = [
  {
    code: "IVM941",
    title: "an AuthorizationPolicy refuses requests",
    severity: "warning",
    signs: [
      {
        from: ["Envoy"],
        pattern: /rbac_access_denied_matched_policy\[none\]/,
        sentence: "There are AuthorizationPolicies that allow requests to {where}, and none of them allows this one.",
      },
      {
        from: ["Envoy"],
        pattern: /rbac_access_denied_matched_policy\[ns\[(?<namespace>[^\]]*)\]-policy\[(?<policy>[^\]]*)\]/,
        sentence: "The AuthorizationPolicy {namespace}/{policy} denied a request to {where}.",
      },
    ],
    fix: "kubectl get authorizationpolicies -A; istioctl experimental authz check POD for pods",
    untilRestart: true,
  },
  {
    code: "IVM942",
    title: "a peer answers mutual TLS in plain text",
    severity: "error",
    signs: [
      {
        from: ["Envoy"],
        pattern: /WRONG_VERSION_NUMBER.* "(?<peer>[\d.]+:\d+|\[[\da-f:]+\]:\d+)" outbound\|/,
        sentence:
          "{peer} was promised to speak mutual TLS and answered in plain text: no sidecar runs there, or it does not intercept that port.",
      },
    ],
    fix: "npx istio-vm status; the port must be in the host's inboundPorts; systemctl start istio on the peer",
    untilRestart: true,
  },
  {
    code: "IVM943",
    title: "a client does not speak as the port demands",
    severity: "warning",
    signs: [
      {
        from: ["Envoy"],
        pattern: /NR filter_chain_not_found .* (?<port>\S+:\d+) (?<client>\S+):\d+ \S+ \S+$/,
        sentence:
          "{client} came to {port} without the mutual TLS that the port demands (PeerAuthentication STRICT), or with a foreign one.",
      },
    ],
    fix: "give the client a sidecar, or set PeerAuthentication to PERMISSIVE: kubectl get peerauthentications -A",
    untilRestart: true,
  },
  {
    code: "IVM944",
    title: "a server has another identity than expected",
    severity: "error",
    signs: [
      {
        from: ["Envoy"],
        pattern:
          /CERTIFICATE_VERIFY_FAILED.*SAN_matcher,_certificate_SANs_are_\[(?<identity>[^\]]*)\].* (?<cluster>outbound\|\S+)/,
        sentence: "The server of {cluster} is {identity}, and not who the client was told to expect.",
      },
    ],
    fix: "compare serviceAccount in kubectl get workloadentries -A -o yaml with the hosts', and subjectAltNames of DestinationRules; pulumi up",
    untilRestart: true,
  },
  {
    code: "IVM945",
    title: "the application does not answer",
    severity: "error",
    signs: [
      {
        from: ["Envoy"],
        pattern: /delayed_connect_error:_Connection_refused.* inbound\|(?<port>\d+)\|/,
        sentence: "The sidecar on {where} passed a request on, and nothing listens on port {port} there.",
      },
    ],
    fix: "on {where}: ss -ltnp; start the application, or correct inboundPorts (IVM609)",
    untilRestart: true,
  },
  {
    code: "IVM946",
    title: "a service has no endpoint that serves",
    severity: "error",
    signs: [
      {
        from: ["Envoy"],
        pattern: / no_healthy_upstream .* outbound\|(?<port>\d+)\|[^|]*\|(?<service>\S+)/,
        sentence: "{service}:{port} has no endpoint, or none that Envoy holds for healthy.",
      },
    ],
    fix: "kubectl get endpointslices,serviceentries,workloadentries -A; npx istio-vm status",
    untilRestart: true,
  },
  {
    code: "IVM947",
    title: "Envoy refuses its configuration",
    severity: "error",
    signs: [
      {
        from: ["istiod"],
        pattern: /ADS:(?<kind>\w+): ACK ERROR (?<proxy>\S+?)-\d+ \w+:(?<reason>.*)/,
        sentence: "{proxy} refuses what istiod sends ({kind}) and goes on with what it had: {reason}.",
      },
      {
        from: ["Envoy"],
        pattern: /config(?: for \S+)? rejected: (?<reason>.*?)(?:\tthread=\d+)?$/,
        sentence: "Envoy on {where} refuses what istiod sends and goes on with what it had: {reason}.",
      },
    ],
    fix: "istioctl analyze -A; kubectl get envoyfilters -A; the sidecar's Envoy must be of istiod's version",
    untilRestart: true,
  },
];
