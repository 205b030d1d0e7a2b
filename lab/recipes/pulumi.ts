/** What the Pulumi CLI needs to run the program: the CLI, its language host and its provider plugins. */
import { chmodSync, copyFileSync, cpSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { checkout, folder } from "../paths";
import { run } from "../run";
import { engine } from "./engine";

const standIns = ["command", "tls", "random"] as const;

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
      for (const name of ["kubernetes", ...standIns]) {
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
  files: ["lab/recipes/pulumi.ts", "standins", "package-lock.json"],
  needs: [engine, downloadedPlugins],
  async build({ out, log, artifact }) {
    const bin = (name: string) => join(folder(out, "bin"), name);
    linkSync(join(artifact(engine), "bin", "pulumi"), bin("pulumi"));
    // Loaded only here: most runs of the lab need no bundler.
    const { bundle } = await import("../../standins/bundle.js");

    const downloads = join(artifact(downloadedPlugins), "plugins");
    const downloaded = existsSync(downloads);
    if (downloaded) {
      cpSync(downloads, join(out, "plugins"), { recursive: true });
    } else {
      linkSync(join(artifact(engine), "bin", "pulumi-resource-kubernetes"), pluginFile(out, "kubernetes"));
      for (const name of standIns) await bundle(name, pluginFile(out, name));
    }

    const languageHost = bin("pulumi-language-nodejs");
    const installed = (await run(["sh", "-c", "command -v pulumi-language-nodejs || true"], { log })).trim();
    if (installed) {
      copyFileSync(installed, languageHost);
      chmodSync(languageHost, 0o755);
    } else {
      await bundle("languageHost", languageHost);
    }

    const origin = [
      ...(downloaded
        ? ["provider plugins: Pulumi's own, downloaded"]
        : [
            "provider plugin kubernetes: Pulumi's own, compiled from its Go module",
            `provider plugins ${standIns.join(", ")}: stand-ins of standins/, as Pulumi's own can't be had here`,
          ]),
      `language host: ${installed ? `Pulumi's own, from ${installed}` : "stand-in of standins/"}`,
    ];
    writeFileSync(join(out, "origin"), `${origin.join("\n")}\n`);
  },
};

export const pulumiRecipes = [engine, downloadedPlugins, pulumi];

/** Where the CLI with `PULUMI_HOME=<home>` looks for a provider's plugin. */
function pluginFile(home: string, name: string): string {
  return join(folder(home, "plugins", `resource-${name}-v${sdkVersion(name)}`), `pulumi-resource-${name}`);
}

function sdkVersion(name: string): string {
  const manifest = join(checkout, "node_modules", "@pulumi", name, "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
