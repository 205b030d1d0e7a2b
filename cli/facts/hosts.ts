import { hostScripts, renderBundle, renderFiles } from "../../ssh/bundle";
import { remoteCommand } from "../../ssh/commands";
import type { HostConfig } from "../../config";
import { hostAndPort } from "../../mesh/addresses";
import type { HostFacts } from "../../diagnosis/facts";
import { parseInspection } from "../../diagnosis/inspection";
import { addressLine, excludedPortsLine, hostsEntry, inboundPortsLine } from "../../mesh/environment";
import { fileLines, stateText } from "../../mesh/hostState";
import { run } from "../../ssh/session";
import { HostError, withHost } from "../hostSession";
import type { ConfiguredStack } from "../stack";
import { proveIstiod } from "./proof";

/** How many hosts are asked at the same time. */
const AT_ONCE = 32;

/** What a host must know to look at itself: a part of what join gets (mesh/hostState.ts), nothing secret. */
function stateFor({ config: { sidecar }, owner, outputs }: ConfiguredStack, host: HostConfig): string {
  const istiod = outputs && hostAndPort(outputs.istiod);
  return stateText({
    host: [host.name],
    owner: owner === undefined ? [] : [owner],
    package: [`${sidecar.sha256} ${"url" in sidecar ? sidecar.url : "copied"}`],
    istiod: istiod === undefined ? [] : [`${istiod.host} ${istiod.port}`],
    hosts: istiod === undefined ? [] : [hostsEntry(istiod.host)],
    "cluster.env": [inboundPortsLine(host), excludedPortsLine({ sshPort: host.ssh.port })],
    "sidecar.env": [addressLine(host)],
    // By their paths alone: what will be in them is not known here.
    file: fileLines({ rootCert: "", certChain: "" }),
  });
}

async function inspect(
  stack: ConfiguredStack,
  host: HostConfig,
  bundle: string,
  rootCert: string | undefined,
): Promise<HostFacts> {
  const { name } = host;
  try {
    return await withHost(host, stack.secret, async (client) => {
      const command = remoteCommand("inspect", stateFor(stack, host));
      const chunks: Buffer[] = [];
      const { outputs } = stack;
      const proof = outputs && rootCert ? proveIstiod(client, outputs.istiod, rootCert) : undefined;
      const asked = Date.now();
      let answered = asked;
      const { exitCode, stderr } = await run(client, command, bundle, {
        stdout: (chunk) => {
          if (chunks.length === 0) answered = Date.now();
          chunks.push(chunk);
        },
      });
      if (exitCode !== 0 && chunks.length === 0 && /^sudo: /m.test(stderr)) {
        throw new HostError("sudo", `${host.ssh.user} can't become root: ${stderr.trim()}`);
      }
      if (exitCode !== 0) throw new HostError("script", `istio-vm inspect failed: ${stderr.trim()}`);
      const inspection = parseInspection(Buffer.concat(chunks).toString("utf8"));
      // Its first line, the host's time, was written between the question and the answer.
      const clockOffset = inspection.epoch - (asked + answered) / 2000;
      return { name, inspection, clockOffset, istiodProof: await proof };
    });
  } catch (error) {
    const { kind = "script", message } = error as Partial<HostError> & Error;
    return { name, failure: { kind, message } };
  }
}

/**
 * Looks at every host, in parallel, by one SSH session each.
 *
 * @param rootCert the root that istiod must prove to be of; without it that is not looked at
 * @param done is told of each host that has answered or failed
 */
export async function inspectHosts(
  stack: ConfiguredStack,
  rootCert: string | undefined,
  done: (name: string) => void,
): Promise<HostFacts[]> {
  // The scripts as they are here: what lies on the host may be of another version, or nothing yet.
  const bundle = renderBundle(renderFiles(hostScripts()));
  const waiting = stack.config.hosts.map((host, index) => ({ host, index }));
  const facts: HostFacts[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      facts[next.index] = await inspect(stack, next.host, bundle, rootCert);
      done(next.host.name);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return facts;
}
