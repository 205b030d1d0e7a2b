import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { SshConfig } from "../../../config";
import { sshConnection } from "../../../ssh/connection";
import { privateKey, runProgram, Secret, valueOf, withDirectory } from "../support";

const ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA";
const EC = "ecdsa-sha2-nistp256 AAAAE2VjZHNh";
const DIAL = { dialErrorLimit: 2, perDialTimeout: 10 };

describe("sshConnection", () => {
  const server = {
    host: "10.0.0.1",
    port: 22,
    user: "root",
    key: { agent: true as const, place: "ssh.key" },
    knownHosts: "/none",
    verifyHostKey: true,
  };
  const connect = async (ssh: Partial<SshConfig>) => {
    const { result } = await runProgram(() => sshConnection({ ...server, ...ssh }));
    return result as ReturnType<typeof sshConnection> & { privateKey?: pulumi.Output<string> };
  };

  it("has no private key where the agent is asked", async () => {
    assert.deepEqual(await connect({ hostKey: ED }), {
      host: "10.0.0.1",
      port: 22,
      user: "root",
      privateKey: undefined,
      hostKey: ED,
      ...DIAL,
    });
  });

  it("goes through a bastion with its own settings", async () => {
    const bastion = { ...server, host: "bastion", port: 2222, user: "jump", hostKey: EC };
    assert.deepEqual(await connect({ host: "vm1", user: "admin", hostKey: ED, bastion }), {
      host: "vm1",
      port: 22,
      user: "admin",
      privateKey: undefined,
      hostKey: ED,
      ...DIAL,
      proxy: { host: "bastion", port: 2222, user: "jump", privateKey: undefined, hostKey: EC, ...DIAL },
    });
  });

  it("makes the private key a secret, from a file or from the configuration", () =>
    withDirectory(async (directory) => {
      const file = join(directory, "id");
      writeFileSync(file, privateKey("file"));
      const fromFile = await connect({ hostKey: ED, key: { file, place: "" } });
      assert.deepEqual(await valueOf(fromFile.privateKey!), new Secret(privateKey("file")));
      pulumi.runtime.setAllConfig({ "pulumi-istio-vm:sshKey": privateKey("config") });
      try {
        const fromConfig = await connect({ hostKey: ED, key: { secret: "sshKey", place: "" } });
        assert.deepEqual(await valueOf(fromConfig.privateKey!), new Secret(privateKey("config")));
      } finally {
        pulumi.runtime.setAllConfig({});
      }
      await assert.rejects(connect({ hostKey: ED, key: { file: join(directory, "none"), place: "" } }), /ENOENT/);
    }));

  it("looks the host key up, under the name and port that are dialled", () =>
    withDirectory(async (directory) => {
      const knownHosts = join(directory, "known_hosts");
      writeFileSync(knownHosts, `10.0.0.1 ${ED}\n[vm1]:2222 ${EC}\nbastion ${ED}\n`);
      assert.equal((await connect({ knownHosts })).hostKey, ED);
      const behind = await connect({
        knownHosts,
        host: "vm1",
        port: 2222,
        bastion: { ...server, host: "bastion", knownHosts },
      });
      assert.equal(behind.hostKey, EC);
      assert.equal(behind.proxy && (behind.proxy as { hostKey?: string }).hostKey, ED);
      assert.equal((await connect({ knownHosts, hostKey: EC })).hostKey, EC);
      await assert.rejects(
        connect({ knownHosts, bastion: { ...server, host: "other", knownHosts } }),
        /^Error: IVM202 other: /,
      );
    }));

  for (const name of ["known_hosts", "none"]) {
    it(`refuses a host without a key in ${name}`, () =>
      withDirectory(async (directory) => {
        writeFileSync(join(directory, "known_hosts"), `10.0.0.1 ssh-rsa AAAA\n10.0.0.2 ${ED}\n`);
        const knownHosts = join(directory, name);
        await assert.rejects(connect({ knownHosts, port: 2222 }), {
          message:
            `IVM202 10.0.0.1: ${knownHosts} has no ed25519 or ecdsa host key for it. Compare what ` +
            "`ssh-keyscan -t ed25519,ecdsa -p 2222 10.0.0.1` says with the host's own, then add it there or set ssh.hostKey",
        });
        assert.equal((await connect({ knownHosts, verifyHostKey: false })).hostKey, undefined);
      }));
  }

  it("does not take a known_hosts that can't be read for an empty one", () =>
    withDirectory(async (directory) => {
      await assert.rejects(connect({ knownHosts: directory }), /EISDIR/);
    }));
});
