import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "ssh2";
import { bundleScript, hostScripts, renderFiles } from "../../ssh/bundle";
import { remoteCommand } from "../../ssh/commands";
import type { HostConfig } from "../../config";
import { controlPlaneOf, type HostFacts, istiodOf } from "../../diagnosis/facts";
import { type Inspection, parseInspection } from "../../diagnosis/inspection";
import { captureLines, excludedPortsLine, hostsEntries, sidecarEnv } from "../../mesh/environment";
import { gatewayVariables } from "../../mesh/networkGateway";
import { fileLines, istiodFact, packageLine, SECRET_URL, stateText } from "../../mesh/hostState";
import { ofEach } from "../../mesh/each";
import { run } from "../../ssh/session";
import { HostError, withHost } from "../hostSession";
import type { ConfiguredStack } from "../stack";
import { proveIstiod } from "./proof";

/** How a host is watched. */
interface Watch {
  /** Milliseconds between two looks, and before one tries to log in again. */
  look: number;
  login: number;
  /** What ends it. */
  stop?: AbortSignal;
}

const WATCH: Watch = { look: 2000, login: 10_000 };

/** What a host must know to look at itself: a part of what join gets (mesh/hostState.ts), nothing secret. */
function stateFor({ config: { serviceCidr }, owner, outputs }: ConfiguredStack, host: HostConfig): string {
  const istiod = istiodOf(outputs, host);
  const dualStack = controlPlaneOf(outputs, host)?.dualStack;
  return stateText({
    host: [host.name],
    owner: owner === undefined ? [] : [owner],
    package: host.sidecar.map(({ source, ...each }) =>
      packageLine({ ...each, source: "url" in source ? source.url : "secret" in source ? SECRET_URL : "sent" }),
    ),
    istiod: istiod === undefined ? [] : [istiodFact(istiod)],
    hosts: istiod === undefined ? [] : hostsEntries(istiod),
    "cluster.env": [
      ...captureLines({ ...host, serviceCidr, dualStack }),
      excludedPortsLine({ sshPort: host.ssh.port }),
    ],
    "sidecar.env": sidecarEnv({ ...host, labels: {}, extra: host.gateway ? gatewayVariables(host.network!) : {} }),
    // By their paths alone: what will be in them is not known here.
    file: fileLines({
      identity: "",
      rootCert: "",
      certChain: host.identity === "certificate" ? "" : undefined,
      adopt: host.adopt,
    }),
    adopt: host.adopt ? ["yes"] : [],
  });
}

/** What runs on a host. The scripts are those from here: what lies there may be of another version, or nothing yet. */
const scripts = () => renderFiles(hostScripts());

/** Has the scripts look at a host, within a session. */
async function look(
  client: Client,
  { ssh: { user } }: HostConfig,
  action: "inspect" | "impact" | "glance",
  script: string,
): Promise<{ inspection: Inspection; clockOffset: number }> {
  const chunks: Buffer[] = [];
  const asked = Date.now();
  let answered = asked;
  const { exitCode, stderr } = await run(client, remoteCommand(action), script, {
    stdout: (chunk) => {
      if (chunks.length === 0) answered = Date.now();
      chunks.push(chunk);
    },
  });
  if (exitCode !== 0 && chunks.length === 0 && /^sudo: /m.test(stderr)) {
    throw new HostError("sudo", `${user} can't become root: ${stderr.trim()}`);
  }
  if (exitCode !== 0)
    throw new HostError("script", `it could not be looked at: ${stderr.trim() || "the session ended"}`);
  const inspection = parseInspection(Buffer.concat(chunks).toString("utf8"));
  // Its first line, the host's time, was written between the question and the answer.
  return { inspection, clockOffset: inspection.epoch - (asked + answered) / 2000 };
}

function failed(name: string, error: unknown): HostFacts {
  const { kind = "script", message } = error as Partial<HostError> & Error;
  return { name, failure: { kind, message } };
}

/** Asks every host, many at the same time, by one SSH session each. @param done is told of each */
function askEach(
  { config, secret }: ConfiguredStack,
  ask: (client: Client, host: HostConfig) => Promise<HostFacts>,
  done: (name: string) => void,
): Promise<HostFacts[]> {
  return ofEach(config.hosts, async (host) => {
    const facts = await withHost(host, secret, (client) => ask(client, host)).catch((error: unknown) =>
      failed(host.name, error),
    );
    done(host.name);
    return facts;
  });
}

/**
 * Looks at every host, for doctor.
 *
 * @param rootCert the root that istiod must prove to be of; without it that is not looked at
 * @param done is told of each host that has answered or failed
 */
export function inspectHosts(
  stack: ConfiguredStack,
  rootCert: string | undefined,
  done: (name: string) => void,
): Promise<HostFacts[]> {
  const files = scripts();
  const { outputs } = stack;
  const ask = async (client: Client, host: HostConfig): Promise<HostFacts> => {
    const istiod = istiodOf(outputs, host);
    const proof =
      istiod && rootCert && proveIstiod(client, istiod, rootCert).catch(({ message }: Error) => ({ untried: message }));
    const seen = await look(client, host, "inspect", bundleScript(files, stateFor(stack, host)));
    return { name: host.name, ...seen, istiodProof: (await proof) || undefined };
  };
  return askEach(stack, ask, done);
}

/** Looks who talks to every host, and to whom it talks, for impact. @param done is told of each */
export function lookAtSockets(stack: ConfiguredStack, done: (name: string) => void): Promise<HostFacts[]> {
  const files = scripts();
  const ask = async (client: Client, host: HostConfig): Promise<HostFacts> => ({
    name: host.name,
    ...(await look(client, host, "impact", bundleScript(files, stateFor(stack, host)))),
  });
  return askEach(stack, ask, done);
}

const glance = async (client: Client, host: HostConfig, files: string): Promise<HostFacts> => ({
  name: host.name,
  ...(await look(client, host, "glance", bundleScript(files, `host ${host.name}`))),
});

/** Looks at every host, for status: only at what it shows. @param done is told of each */
export function glanceAtHosts(stack: ConfiguredStack, done: (name: string) => void): Promise<HostFacts[]> {
  const files = scripts();
  return askEach(stack, (client, host) => glance(client, host, files), done);
}

/**
 * Looks at every host again and again. Each has one session, which stays: a limit of new connections (`ufw limit ssh`)
 * would count every other look, and shut out whoever watches.
 *
 * @param done is told of each first look
 * @returns what was seen last, as soon as there is something of each; it goes on changing
 */
export async function watchHosts(
  { config: { hosts }, secret }: ConfiguredStack,
  done: (name: string) => void,
  { look, login, stop }: Watch = WATCH,
): Promise<HostFacts[]> {
  const files = scripts();
  const facts: HostFacts[] = [];
  const first = hosts.map(
    (host, index) =>
      new Promise<void>((resolve) => {
        const tell = (seen: HostFacts) => {
          if (facts[index] === undefined) done(host.name);
          facts[index] = seen;
          resolve();
        };
        const session = async (client: Client) => {
          while (!stop?.aborted) {
            tell(await glance(client, host, files));
            await delay(look);
          }
        };
        void (async () => {
          while (!stop?.aborted) {
            await withHost(host, secret, session).catch((error: unknown) => tell(failed(host.name, error)));
            if (host.gone) return;
            await delay(login);
          }
        })();
      }),
  );
  await Promise.all(first);
  return facts;
}
