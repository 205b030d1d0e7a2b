import { parseSocket, type Socket } from "./sockets";

/** What a host says of itself (host/inspect.sh): text, one fact a line. */
export interface Inspection {
  /** The host's clock, seconds since 1970. */
  epoch: number;
  os: string;
  hostname: string;
  machineId: string;
  /** Whether something keeps its clock right; undefined where it can't tell. */
  clockSynchronized?: boolean;
  /** The version of the istio-sidecar package; undefined if there is none. */
  sidecar?: string;
  /** What istiod's name resolves to there. */
  istiodAddress?: string;
  nameservers: string[];
  /** TCP ports that something listens on. */
  listening: number[];
  /** The process that holds the package manager's lock. */
  packageManagerHeldBy?: string;
  /** Format and architecture of the sidecar package that it takes. */
  takes?: string;
  /** Whether that package could be fetched; undefined where that was not asked or nothing can fetch it. */
  packageReachable?: boolean;
  /** What was set by hand on a host that shall be taken over: names of variables, and mesh.yaml by its path. */
  settings: string[];
  /** The bridges of container engines. */
  bridges: string[];
  /** TCP ports, or ranges of them, that are sent on to a container. */
  published: string[];
  /** Its TCP sockets, of a host that is yet to join or whose impact is asked for; and why they could not be read. */
  sockets: Socket[];
  socketsProblem?: string;
  /** The port at which this session came in: it is never intercepted. */
  sshPort?: number;
  /** What the checks of join found. */
  findings: { code: string; message: string }[];
  /** How what was joined is doing; undefined if the host is not joined. */
  joined?: Joined;
}

/** A host that was joined. */
export interface Joined {
  /** The owner mark of the stack that did it. */
  owner: string;
  /** When it was confirmed last; undefined if never. */
  changed?: Date;
  /** Whether its agent has a connection to istiod. */
  connected: boolean;
  /** When Envoy took its last configuration; undefined if it does not answer. */
  configured?: Date;
  certChain?: string;
  /** What it was sent to prove its identity: the certificate and its issuers. */
  sentChain?: string;
  rootCert?: string;
  identity?: string;
  /** What goes through the sidecar: `nothing`, or such as `in 8080, out 10.96.0.0/16`. */
  captured?: string;
  ready: boolean;
  unfinished: boolean;
  /** What differs from what was joined, by name; what `istio-vm status` shows with a `!`, but for what is above. */
  drift: string[];
}

/** Reads what `istio-vm inspect` prints. @throws if its first fact, the time, is missing: then it is something else */
export function parseInspection(text: string): Inspection {
  const lines = text.split("\n").map((line): [string, string] => {
    const [, key = "", value = ""] = /^(\S+) ?(.*)$/s.exec(line) ?? [];
    return [key, value];
  });
  const all = (key: string) => lines.filter(([of, value]) => of === key && value !== "").map(([, value]) => value);
  const one = (key: string): string | undefined => all(key)[0];
  const pem = (base64: string | undefined) =>
    base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("utf8");
  const epoch = Number(one("epoch") ?? NaN);
  if (!Number.isFinite(epoch)) throw new Error(`istio-vm inspect said ${JSON.stringify(text.slice(0, 200))}`);

  const status = all("status")
    .map((line) => /^(\S+) +(! )?(.*)$/s.exec(line))
    .filter((row) => row !== null);
  const problems = new Map(status.filter(([, , mark]) => mark).map(([, name = "", , words = ""]) => [name, words]));
  const owner = one("owner");
  const changed = one("changed");
  const configured = Number(one("configured") ?? 0);
  return {
    epoch,
    os: one("os") ?? "",
    hostname: one("hostname") ?? "",
    machineId: one("machine") ?? "",
    clockSynchronized: one("ntp") === undefined ? undefined : one("ntp") === "yes",
    sidecar: one("sidecar"),
    istiodAddress: one("resolves"),
    nameservers: all("nameserver"),
    listening: all("listening").map(Number),
    packageManagerHeldBy: one("locked")?.trim(),
    takes: one("takes"),
    packageReachable: one("package") === undefined ? undefined : one("package") === "yes",
    settings: all("setting"),
    bridges: all("bridge"),
    published: all("published"),
    sockets: all("socket").flatMap((line) => parseSocket(line) ?? []),
    socketsProblem: one("no-sockets"),
    sshPort: one("ssh-port") === undefined ? undefined : Number(one("ssh-port")),
    findings: all("finding").map((finding) => {
      const [code = "", ...words] = finding.split(" ");
      return { code, message: words.join(" ") };
    }),
    joined:
      owner === undefined
        ? undefined
        : {
            owner,
            changed: changed === undefined ? undefined : new Date(Number(changed) * 1000),
            connected: one("connected") === "1",
            configured: configured > 0 ? new Date(configured) : undefined,
            certChain: pem(one("cert-chain")),
            sentChain: pem(one("sent-chain")),
            rootCert: pem(one("root-cert")),
            identity: status.find(([, name]) => name === "identity")?.[3],
            captured: status.find(([, name]) => name === "captured")?.[3],
            ready: !problems.has("ready"),
            unfinished: problems.has("join"),
            drift: [...problems.keys()].filter((name) => !["ready", "join", "valid", "sent"].includes(name)),
          },
  };
}
