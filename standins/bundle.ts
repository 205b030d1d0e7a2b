/** Makes a stand-in into what the Pulumi CLI looks for: one executable file, which needs nothing but Node. */
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** Writes a provider plugin, or Node's language host, to `outfile`. */
export async function bundle(name: "command" | "tls" | "random" | "languageHost", outfile: string): Promise<void> {
  await build({
    entryPoints: [join(__dirname, name === "languageHost" ? "languageHost.ts" : `${name}/main.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node22",
    // ssh2's optional native parts: it goes without.
    external: ["*.node", "cpu-features"],
    banner: { js: "#!/usr/bin/env node" },
    logLevel: "warning",
  });
  await chmod(outfile, 0o755);
}
