import type { Cause } from "./cause";

/** After the dials that the command provider tries: what follows is the last one's error. */
const DIALLED = /failed attempts: /.source;
const DOCTOR_SSH = "npx istio-vm doctor";

/** Why `pulumi up` could not log in to a host, or took a join back: in the words of the command provider, and of a host. */
export const update: Cause[] = [
  {
    code: "IVM951",
    title: "no ssh-agent answers at SSH_AUTH_SOCK",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: /\bdial unix (?<socket>\S*): connect: (?<reason>[\w ]+)/,
        sentence:
          "The command provider dials the ssh-agent that SSH_AUTH_SOCK names even where a key is given, and at {socket} none answers ({reason}).",
      },
    ],
    fix: "unset SSH_AUTH_SOCK, or start an agent: eval $(ssh-agent) && ssh-add (IVM208)",
  },
  {
    code: "IVM952",
    title: "a host refuses SSH connections",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: new RegExp(`${DIALLED}dial tcp (?<address>\\S+): connect: connection refused`),
        sentence: "{address} refuses connections: sshd does not run there, or listens on another port.",
      },
      {
        from: ["pulumi"],
        pattern: new RegExp(`${DIALLED}ssh: rejected: (?<reason>.+)`),
        sentence: "The bastion does not lead on to the host: {reason}.",
      },
      {
        from: ["pulumi"],
        pattern: new RegExp(
          `${DIALLED}(?:ssh: handshake failed: )?(?<reason>EOF|read tcp .*: connection reset by peer)$`,
        ),
        sentence: "The host, or something before it, hung up before anybody could log in ({reason}).",
        fix: `${DOCTOR_SSH} (IVM601); look there for a limit of connections (MaxStartups, ufw limit, fail2ban, hosts.deny), and whether sshd is what listens on that port`,
      },
    ],
    fix: `${DOCTOR_SSH} (IVM601); start sshd there or correct ssh.port; if the host is gone for good, set gone: true for it`,
  },
  {
    code: "IVM953",
    title: "a host does not answer",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: new RegExp(
          `${DIALLED}dial tcp (?<address>\\S+): (?:connect: )?(?<reason>i/o timeout|no route to host|network is unreachable)`,
        ),
        sentence:
          "There is no answer from {address} ({reason}): the host is down, or a route or a firewall stands between.",
      },
      {
        from: ["pulumi"],
        pattern: new RegExp(
          `${DIALLED}dial tcp: lookup (?<name>[^\\s:]+)(?: on \\S+)?: (?<reason>no such host|server misbehaving|.*i/o timeout)`,
        ),
        sentence: "The name {name} leads nowhere from here ({reason}).",
        fix: "getent hosts NAME; correct ssh.host or hosts[].address",
      },
      {
        from: ["pulumi"],
        pattern: /^\s*(?:error: )?wait: remote command exited without exit status or exit signal/,
        sentence: "The SSH session was lost while its command ran: the host went down, or the way to it.",
        fix: `${DOCTOR_SSH} (IVM601, IVM721); a change that was not confirmed is taken back by the host itself; then pulumi up`,
      },
    ],
    fix: `${DOCTOR_SSH} (IVM601); if the host is gone for good, set gone: true for it`,
  },
  {
    code: "IVM954",
    title: "a host answers with another host key",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: /ssh: host key mismatch/,
        sentence:
          "Who answers at the host's address does not have its host key: the machine was made anew, or it is somebody else.",
      },
      {
        from: ["pulumi"],
        pattern: /ssh: no common algorithm for host key/,
        sentence: "Who answers at the host's address has no host key of the kind that is known of it.",
      },
      {
        from: ["pulumi"],
        pattern: /failed to parse host key/,
        sentence: "ssh.hostKey is no host key.",
        fix: "set ssh.hostKey to a line as ssh-keyscan prints it, from the type on: ssh-ed25519 AAAA...",
      },
    ],
    fix: `${DOCTOR_SSH} (IVM608) names it; compare ssh-keyscan -t ed25519 HOST with the host's own key, then correct known_hosts or ssh.hostKey`,
  },
  {
    code: "IVM955",
    title: "an SSH key can't be used",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: /ssh: no key found/,
        sentence: "What ssh.key leads to is not a private key.",
      },
      {
        from: ["pulumi"],
        pattern: /ssh: unsupported key type (?<type>"?[^"\n]*"?)/,
        sentence: "What ssh.key leads to is of a kind ({type}) that the command provider can't read.",
      },
      {
        from: ["pulumi"],
        pattern: /ssh: this private key is passphrase protected/,
        sentence: "The private key that ssh.key leads to has a passphrase.",
      },
    ],
    fix: `${DOCTOR_SSH} (IVM204) names it; set ssh.key to a key without passphrase, or give it to the ssh-agent`,
  },
  {
    code: "IVM956",
    title: "a host does not accept the SSH key",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: /ssh: unable to authenticate, attempted methods \[none\], no supported methods remain/,
        sentence: "Nothing was offered to the host: there is neither ssh.key nor an ssh-agent.",
        fix: `${DOCTOR_SSH} (IVM204); set ssh.key, or start an agent: eval $(ssh-agent) && ssh-add`,
      },
      {
        from: ["pulumi"],
        pattern: /ssh: unable to authenticate, attempted methods \[(?<methods>[^\]]*)\], no supported methods remain/,
        sentence:
          "The host lets nobody in by what was offered ({methods}): it does not know the key, or not for that user.",
      },
    ],
    fix: `${DOCTOR_SSH} (IVM601) names it; add the public key to ~/.ssh/authorized_keys of ssh.user on the host`,
  },
  {
    code: "IVM957",
    title: "a join was not confirmed",
    severity: "error",
    signs: [
      {
        from: ["pulumi"],
        pattern: /(?<host>\S+): whoever would confirm the change is gone/,
        sentence:
          "pulumi up was interrupted while {host} joined, failed elsewhere, or lost the way to it; the change there was taken back.",
        fix: "pulumi up; with many hosts --continue-on-error, so that one that fails does not end the others' joins",
      },
      {
        from: ["pulumi"],
        pattern: /(?<host>\S+): no fresh SSH session could be had .*cut the host off, or was pulumi up interrupted/,
        sentence:
          "Nobody confirmed the change on {host}, which was taken back: pulumi up was interrupted, or with the sidecar no SSH session can be had there.",
        fix: "pulumi up; if it says so again, look at environment and inboundPorts of {host} and at its iptables rules",
      },
      {
        from: ["pulumi"],
        pattern: /(?<host>\S+): no fresh SSH session could be had within/,
        sentence:
          "With the sidecar as it is configured no new SSH session can be had on {host}; the change was taken back.",
        fix: "look at environment and inboundPorts of {host} and at its iptables rules, then pulumi up",
      },
    ],
    fix: "pulumi up",
  },
];
