import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../../lab/paths";
import { mustSucceed } from "../host";
import type { Mesh } from "../mesh";

export function privileges(mesh: Mesh): void {
  it("a user whom sudo allows only what docs/host.md says can make access, join, confirm and leave", async () => {
    const host = mesh.host("vm3");
    const [, file] =
      /( *# \/etc\/sudoers\.d\/istio-vm[\s\S]*?)```/.exec(readFileSync(join(checkout, "docs/host.md"), "utf8")) ?? [];
    assert.match(file ?? "", /admin ALL=\(root\) NOPASSWD: /);
    await host.reset();
    await host.sh(
      `rm /etc/sudoers.d/admin; cat >/etc/sudoers.d/istio-vm <<'END'\n${file}\nEND\nchmod 0440 /etc/sudoers.d/istio-vm`,
    );
    const { exitCode, output } = await host.ssh("sudo -n cat /etc/shadow").done;
    assert.notEqual(exitCode, 0, output);

    const { commands } = host;
    mustSucceed(await host.ssh(commands.access, commands.script).done, "access");
    const joined = mustSucceed(await host.join(), "join");
    assert.match(joined.output, /confirm +ok: a fresh SSH session works/);
    await host.mustLeave();
  });
}
