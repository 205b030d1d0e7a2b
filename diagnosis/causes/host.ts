import type { Cause } from "./cause";

/** What a host keeps the sidecar from. */
export const host: Cause[] = [
  {
    code: "IVM931",
    title: "iptables may not be used",
    severity: "error",
    signs: [
      {
        from: ["start"],
        pattern: /tables.*Permission denied \(you must be root\)/,
        sentence: "The kernel did not let the start script on {where} set up interception: it lacks CAP_NET_ADMIN.",
      },
    ],
    fix: "systemctl cat istio: remove what limits capabilities; a container needs NET_ADMIN",
  },
  {
    code: "IVM932",
    title: "iptables is missing",
    severity: "error",
    signs: [
      {
        from: ["start"],
        pattern: /"(?<tool>\S*tables\S*)": executable file not found/,
        sentence: "{where} has no {tool}, with which the sidecar intercepts traffic.",
      },
    ],
    fix: "on {where}: apt-get install iptables && systemctl restart istio",
  },
  {
    code: "IVM933",
    title: "the kernel lacks what iptables needs",
    severity: "error",
    signs: [
      {
        from: ["start"],
        pattern: /tables.*(?:do you need to insmod|has no loaded kernel support)|not supported, missing kernel module/,
        sentence: "The kernel of {where} has no support for the kind of iptables that was used.",
      },
    ],
    fix: "on {where}: iptables -t nat -S; choose the other kind by update-alternatives --config iptables, or modprobe ip_tables iptable_nat",
  },
  {
    code: "IVM934",
    title: "a port of the sidecar is taken",
    severity: "error",
    signs: [
      {
        from: ["Envoy", "istiod"],
        pattern: /cannot bind '(?<address>[^']+)': Address already in use/,
        sentence: "Another program listens on {address}, which Envoy needs.",
      },
      {
        from: ["agent"],
        pattern: /listen \w+ (?<address>\S+): bind: address already in use/,
        sentence: "Another program listens on {address}, which the agent needs.",
      },
    ],
    fix: "on the host: ss -Hltnp | grep ':150', stop what listens there, systemctl restart istio",
    untilRestart: true,
  },
  {
    code: "IVM935",
    title: "a disk is full",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy", "start", "istiod"],
        pattern: /(?:write (?<file>\S+): )?no space left on device/i,
        sentence: "The sidecar on {where} could not write {file}: its file system is full.",
      },
    ],
    fix: "on {where}: df -h /etc /var; make room; systemctl restart istio",
    untilRestart: true,
  },
  {
    code: "IVM936",
    title: "sudo demands a terminal",
    severity: "error",
    signs: [
      {
        from: ["start"],
        pattern: /istio-start\.sh\S*: sudo: sorry, you must have a tty to run sudo/,
        sentence:
          "On {where} root itself may not use sudo without a terminal (requiretty), by which the start script becomes istio-proxy.",
      },
      {
        from: ["pulumi"],
        pattern: /sudo: sorry, you must have a tty to run sudo/,
        sentence: "sudo on the host demands a terminal (requiretty), which a session of a program does not have.",
      },
    ],
    fix: "on {where}: visudo, and take requiretty away, or add Defaults:root,ADMIN !requiretty, with the user who logs in for ADMIN; then pulumi up",
    untilRestart: true,
  },
  {
    code: "IVM937",
    title: "root may not run the sidecar by sudo",
    severity: "error",
    signs: [
      {
        from: ["start"],
        pattern: /(?:sudo: (?=sorry, you are )|(?=Sorry, user root is not allowed ))(?<reason>.*?)\.?$/,
        sentence: "On {where}, sudo does not let root run the sidecar as istio-proxy: {reason}.",
      },
      {
        from: ["start"],
        pattern: /istio-start\.sh: line \d+: (?:exec: )?sudo: not found/,
        sentence: "{where} has no sudo, by which istio-start.sh runs the sidecar as istio-proxy.",
      },
    ],
    fix: "on {where}: apt-get install sudo; printf '%s\\n' 'root ALL=(ALL:ALL) NOPASSWD:SETENV: ALL' 'Defaults:root !requiretty' >/etc/sudoers.d/zz-istio-vm; systemctl restart istio",
    untilRestart: true,
  },
  {
    code: "IVM938",
    title: "a file system is read-only",
    severity: "error",
    signs: [
      {
        from: ["agent", "Envoy", "start"],
        pattern: /(?:\w+ (?<file>\S+): )?read-only file system/i,
        sentence: "The sidecar on {where} could not write {file}: its file system is read-only.",
      },
    ],
    fix: "on {where}: findmnt -T FILE; mount -o remount,rw it, and look into the kernel's log for why it is (journalctl -k); systemctl restart istio",
    untilRestart: true,
  },
];
