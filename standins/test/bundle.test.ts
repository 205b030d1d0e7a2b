import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { bundle } from "../bundle";
import { versions } from "../versions";

describe("stand-ins: bundle", function () {
  this.timeout(60_000);
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), "standins-test-"))));
  after(() => rmSync(directory, { recursive: true }));

  /** Bundles a plugin, starts it as the CLI does, asks who it is, and stops it. */
  async function ask(
    name: Parameters<typeof bundle>[0],
    Client: typeof ResourceProviderClient | typeof LanguageRuntimeClient,
  ) {
    const executable = join(directory, name);
    await bundle(name, executable);
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

  for (const name of ["command", "tls", "random"] as const) {
    it(`makes ${name} one file that says its version and ends cleanly`, async () => {
      assert.equal(await ask(name, ResourceProviderClient), versions[name]);
    });
  }

  it("makes a language host", async () => {
    assert.match(await ask("languageHost", LanguageRuntimeClient), /^\d+\.\d+\.\d+/);
  });
});
