/** Makes the stand-ins into what the Pulumi CLI looks for: one executable file each, which needs nothing but Node. */
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { versions } from "./versions";

/**
 * Writes `<outDir>/plugins/resource-<name>-v<version>/pulumi-resource-<name>` for each provider, for the CLI with
 * `PULUMI_HOME=<outDir>`, and `<outDir>/bin/pulumi-language-nodejs`, for the PATH or beside `pulumi`.
 */
export async function bundlePlugins(outDir: string): Promise<void> {
  await Promise.all([
    ...Object.entries(versions).map(([name, version]) =>
      bundle(
        join(__dirname, name, "main.ts"),
        join(outDir, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`),
      ),
    ),
    bundle(join(__dirname, "languageHost.ts"), join(outDir, "bin", "pulumi-language-nodejs")),
  ]);
}

async function bundle(entry: string, outfile: string): Promise<void> {
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    // ssh2's optional native parts: it goes without.
    external: ["*.node", "cpu-features"],
    banner: { js: "#!/usr/bin/env node" },
    logLevel: "warning",
  });
  await chmod(outfile, 0o755);
}
