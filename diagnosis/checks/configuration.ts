import { about, type Check, each, error, ofConfig, ofInstallation, ok, skipped, warning } from "./check";
import { isAvailable } from "../facts";
import { at } from "../../mesh/json";

export const configuration: Check[] = [
  {
    code: "IVM201",
    title: "the configuration is valid",
    why: "`pulumi up` refuses a configuration with a mistake, with these very words, before it contacts anything.",
    fix: "edit Pulumi.STACK.yaml; README.md lists every key",
    evaluate: ({ configProblems, stackProblem }) => {
      if (stackProblem !== undefined) return skipped("the stack can't be read");
      return each(configProblems, (problem) => error(problem));
    },
  },
  {
    code: "IVM202",
    title: "every host's SSH host key is known",
    why: "A host key is verified before anything is sent; a host without one is refused.",
    fix: "ssh-keyscan -t ed25519 HOST, compare it with the host's own, and add it to known_hosts or set ssh.hostKey",
    evaluate: ofConfig(({ local }) =>
      each(local.unknownHostKeys, ({ host, problem }) => about(host, error(`${host}: ${problem}`))),
    ),
  },
  {
    code: "IVM203",
    title: "host keys are verified",
    why: "Whoever answers at the address of a host with `verifyHostKey: false` gets its private key.",
    fix: "remove verifyHostKey: false",
    evaluate: ofConfig(({ config: { hosts } }) => {
      const trusting = hosts.filter(({ ssh }) => ssh.hostKey === undefined && !ssh.verifyHostKey);
      return each(trusting, ({ name }) => about(name, warning(`${name}: whoever answers at its address is believed`)));
    }),
  },
  {
    code: "IVM204",
    title: "SSH keys can be used",
    why: "A key that can't be read, has a passphrase or is not in the agent logs in nowhere.",
    fix: "ssh-add KEY, or set ssh.key to a file without passphrase or a secret",
    evaluate: ofConfig(({ local }) => each(local.unusableKeys, ({ place, problem }) => error(`${place}: ${problem}`))),
  },
  {
    code: "IVM205",
    title: "each sidecar package is what its digest says",
    why: "A package with another digest is refused on every host, after it was sent there.",
    fix: "sha256sum FILE, and set its sha256 to that if it is the package you mean",
    evaluate: ofConfig(({ local: { sidecarFiles } }) =>
      sidecarFiles.length === 0
        ? skipped("each host fetches it (IVM606)")
        : each(sidecarFiles, ({ place, sha256, found }) => {
            if (!isAvailable(found)) return error(`${place}.file ${found.problem}`, `correct ${place}.file`);
            return found.sha256 === sha256
              ? ok(sha256.slice(0, 12))
              : error(`the file has SHA-256 ${found.sha256}, but ${place}.sha256 is ${sha256}`);
          }),
    ),
  },
  {
    code: "IVM206",
    title: "the IstioOperator installs the version that is wanted",
    why: "A `tag` of another version runs an istiod that istioctl's objects were not made for.",
    fix: "set its spec.tag to controlPlane.install.version, or leave it out",
    evaluate: ofInstallation(({ operator, version }) => {
      const tags = ["spec.tag", "spec.values.global.tag", "spec.components.pilot.tag"].flatMap((path) => {
        const tag = at(operator, path) ?? "";
        const text = typeof tag === "string" || typeof tag === "number" ? String(tag) : JSON.stringify(tag);
        return text === "" ? [] : [{ path, text }];
      });
      const others = tags.filter(({ text }) => text !== version && !text.startsWith(`${version}-`));
      if (others.length === 0) return ok(tags[0]?.text ?? version);
      return others.flatMap(({ path, text }) =>
        warning(`controlPlane.install.operator.${path} is ${text}, but controlPlane.install.version is ${version}`),
      );
    }),
  },
  {
    code: "IVM207",
    title: "certificates are renewed before they end",
    why: "A certificate whose renewal begins before its own beginning is renewed by every update; one that outlives its issuer ends with it.",
    fix: "set workloadCertificate.earlyRenewalHours below validityHours, and both below the CA's",
    evaluate: ofConfig(({ config: { workloadCertificate, ca } }) => {
      const { validityHours, earlyRenewalHours } = workloadCertificate;
      if (earlyRenewalHours >= validityHours) {
        return error(
          `earlyRenewalHours is ${earlyRenewalHours}, but certificates are valid for ${validityHours} hours only`,
        );
      }
      if (ca === undefined || "provided" in ca) return ok();
      const { rootValidityHours, intermediateValidityHours } = ca;
      if (intermediateValidityHours > rootValidityHours) {
        return warning(
          `the intermediate (${intermediateValidityHours} hours) outlives the root (${rootValidityHours} hours)`,
        );
      }
      return validityHours > intermediateValidityHours
        ? warning(
            `hosts' certificates (${validityHours} hours) outlive their issuer (${intermediateValidityHours} hours)`,
          )
        : ok();
    }),
  },
  {
    code: "IVM208",
    title: "SSH_AUTH_SOCK names an ssh-agent that answers, or is not set",
    why: "The command provider dials that agent even where a key is given; one that is gone fails every host.",
    fix: "unset SSH_AUTH_SOCK, or start an agent: eval $(ssh-agent) && ssh-add",
    evaluate: ofConfig(({ config: { hosts }, local: { agentProblem } }) =>
      agentProblem === undefined || hosts.length === 0 ? ok() : error(agentProblem),
    ),
  },
];
