import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { bundlePlugins } from "../../../lab/plugins/bundle";
import { versions } from "../../../lab/plugins/versions";

describe("plugins: bundle", function () {
  this.timeout(60_000);
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "plugins-test-"));
    await bundlePlugins(directory);
  });
  after(() => rmSync(directory, { recursive: true }));

  /** Starts a plugin as the CLI does, asks who it is, and stops it. */
  async function ask(executable: string, Client: typeof ResourceProviderClient | typeof LanguageRuntimeClient) {
    const child = spawn(executable, ["--logtostderr", "127.0.0.1:1"], {
      cwd: "/",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const client = new Client(`127.0.0.1:${Number(line.toString())}`, grpc.credentials.createInsecure());
    const getPluginInfo = promisify<Empty, PluginInfo>(client.getPluginInfo.bind(client) as never);
    const info = await getPluginInfo(new Empty());
    client.close();
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
    return info.getVersion();
  }

  it("lays plugins out as the CLI looks for them; each says its version and ends cleanly", async () => {
    assert.deepEqual(
      readdirSync(join(directory, "plugins")).sort(),
      Object.entries(versions)
        .map(([name, version]) => `resource-${name}-v${version}`)
        .sort(),
    );
    for (const [name, version] of Object.entries(versions)) {
      const executable = join(directory, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`);
      assert.equal(await ask(executable, ResourceProviderClient), version);
    }
  });

  it("makes a language host", async () => {
    assert.match(await ask(join(directory, "bin/pulumi-language-nodejs"), LanguageRuntimeClient), /^\d+\.\d+\.\d+/);
  });
});
