/** The Pulumi CLI, its language host and its provider plugins. */
import { chmodSync, copyFileSync, cpSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { checkout, folder } from "../paths";
import { run } from "../run";
import { engine } from "./engine";

const providers = ["kubernetes", "command", "tls", "random"];

/** plugins/, as the CLI downloads them; or, if one of them can't be had, only a file that says why. */
const downloadedPlugins: Recipe = {
  name: "downloaded-plugins",
  title: "provider plugins (download)",
  files: ["lab/recipes/pulumi.ts", "package-lock.json"],
  needs: [engine],
  async build({ out, log, artifact }) {
    const pulumi = join(artifact(engine), "bin", "pulumi");
    const env = { PULUMI_HOME: out, PULUMI_SKIP_UPDATE_CHECK: "true" };
    try {
      for (const name of providers) {
        const argv = [pulumi, "plugin", "install", "resource", name, `v${sdkVersion(name)}`];
        await run(argv, { log, env, timeout: 15, contained: true });
      }
    } catch (error) {
      rmSync(join(out, "plugins"), { recursive: true, force: true });
      writeFileSync(join(out, "refused"), `${(error as Error).message}\n`);
    }
  },
};

/**
 * What PATH and PULUMI_HOME need: bin/{pulumi,pulumi-language-nodejs}, plugins/, and the file `origin`, which says
 * where the plugins come from.
 */
export const pulumi: Recipe = {
  name: "pulumi",
  title: "Pulumi's plugins and language host",
  files: ["lab/recipes/pulumi.ts", "lab/plugins", "package-lock.json"],
  needs: [engine, downloadedPlugins],
  async build({ out, log, artifact }) {
    // Loaded only here: most runs of the lab need no bundler.
    const { bundlePlugins } = await import("../plugins/bundle.js");
    await bundlePlugins(out);
    const downloads = join(artifact(downloadedPlugins), "plugins");
    const downloaded = existsSync(downloads);
    if (downloaded) {
      rmSync(join(out, "plugins"), { recursive: true });
      cpSync(downloads, join(out, "plugins"), { recursive: true });
    } else {
      const own = join(
        out,
        "plugins",
        `resource-kubernetes-v${sdkVersion("kubernetes")}`,
        "pulumi-resource-kubernetes",
      );
      rmSync(own);
      linkSync(join(artifact(engine), "bin", "pulumi-resource-kubernetes"), own);
    }
    const host = join(folder(out, "bin"), "pulumi-language-nodejs");
    const installed = await run(["sh", "-c", "command -v pulumi-language-nodejs || true"], { log });
    if (installed) {
      rmSync(host);
      copyFileSync(installed.trim(), host);
      chmodSync(host, 0o755);
    }
    linkSync(join(artifact(engine), "bin", "pulumi"), join(out, "bin", "pulumi"));
    const origin = [
      `provider plugins: ${downloaded ? "Pulumi's own, downloaded" : "stand-ins of lab/plugins, as Pulumi's own can't be downloaded here"}`,
      `language host: ${installed ? `Pulumi's own, from ${installed.trim()}` : "stand-in of lab/plugins"}`,
    ];
    writeFileSync(join(out, "origin"), `${origin.join("\n")}\n`);
  },
};

export const pulumiRecipes = [engine, downloadedPlugins, pulumi];

function sdkVersion(name: string): string {
  const manifest = join(checkout, "node_modules", "@pulumi", name, "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
