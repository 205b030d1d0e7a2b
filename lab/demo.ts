/**
 * The demonstration, run inside the lab: `pulumi up` on the dev stack, then a request from a pod to the VM's service.
 *
 *   npx tsx lab/demo.ts        joins the VM and proves it
 *   npx tsx lab/demo.ts down   destroys the stack
 */
import { execa } from "execa";
import { assertInsideLab } from "./exec";

const STACK = "dev";
const URL = "http://vmhttp.vm.svc.cluster.local:8080";

/** What a page that echoes its request's headers says of the mutual TLS connection that brought it. */
function identities(page: string): { server: string; client: string } {
  const header = /^x-forwarded-client-cert: (.*)$/im.exec(page)?.[1] ?? "";
  const field = (name: string) => new RegExp(`(?:^|;)${name}=([^;,]*)`).exec(header)?.[1];
  const [server, client] = [field("By"), field("URI")];
  if (server === undefined || client === undefined) {
    throw new Error(`the VM answered, but saw no mutual TLS: no X-Forwarded-Client-Cert in\n${page}`);
  }
  return { server, client };
}

const pulumi = (...args: string[]) =>
  execa("pulumi", [...args, "--stack", STACK, "--non-interactive"], { stdio: "inherit" });

async function up(): Promise<void> {
  const stacks = JSON.parse((await execa("pulumi", ["stack", "ls", "--json"])).stdout) as { name: string }[];
  if (!stacks.some(({ name }) => name === STACK)) await execa("pulumi", ["stack", "init", STACK], { stdio: "inherit" });
  await pulumi("up", "--yes", "--skip-preview");

  const curl = ["exec", "deploy/sleep", "--container=sleep", "--", "curl", "-sS", "--max-time", "10", "-i", URL];
  // Envoy learns of a new service some moments after the API server does.
  const response = await retry(20, async () => {
    const { stdout } = await execa("kubectl", curl);
    if (!/^HTTP\/1.1 200 /.test(stdout)) throw new Error(`the VM's service answered:\n${stdout}`);
    return stdout;
  });
  const [head = "", page = ""] = response.split(/\r?\n\r?\n/);
  const { server, client } = identities(page);
  const rows = [
    ["request", `curl ${URL}   (pod sleep)`],
    ["status", head.split(/\r?\n/)[0]],
    ["answer", page.split("\n")[0]],
    ["mTLS server", server],
    ["mTLS client", client],
  ];
  console.log(`\n${rows.map(([name, value]) => `  ${name?.padEnd(12)} ${value}`).join("\n")}\n`);
}

async function retry<T>(seconds: number, attempt: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + seconds * 1000; ;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

assertInsideLab();
const run = process.argv[2] === "down" ? () => pulumi("destroy", "--yes", "--skip-preview") : up;
run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
