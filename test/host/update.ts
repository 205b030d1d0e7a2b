/** A change of a joined host: another package and another port, there and back. */
import { until } from "../../lab/run";
import { FAULTS } from "./faults";
import type { Host } from "./host";
import { untilPaused } from "./pauses";

export class Update {
  private constructor(
    readonly host: Host,
    /** The state that the change makes. */
    readonly newer: string,
  ) {}

  /** On a fresh machine, which joins. */
  static async of(host: Host): Promise<Update> {
    await host.reset();
    await host.mustJoin();
    const later = await host.stateWithLaterPackage();
    return new Update(host, later.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=8080,9090"));
  }

  /** The package and the files of the change. */
  files(): Promise<string> {
    const { show } = this.host.packages;
    return this.host.sh(`${show}; cat /var/lib/istio/envoy/*.env /etc/hosts /var/lib/istio-vm/state`);
  }

  /** What join keeps for itself, and the ports that the running sidecar has. */
  books(): Promise<string> {
    return this.host.sh(`
      ls -A /var/lib/istio-vm
      ls /run /etc/systemd/system | grep istio-vm || :
      systemctl list-units --plain --no-legend 'istio-vm*'
      systemctl is-enabled istio
      { iptables-nft-save; iptables-legacy-save; } 2>/dev/null | grep -E 'ISTIO_INBOUND .*--dport|HOLD'`);
  }

  /** Begins the change and kills it at the pause that the bundle has. */
  async killed(bundle: string): Promise<void> {
    const session = await this.host.startJoin({ state: this.newer, bundle });
    await untilPaused(this.host, session);
    await FAULTS.kill(this.host, session);
    session.stopConfirming();
  }

  /** Waits until the host is in the mesh and `isSo`, without help. */
  async untilWell(what: string, isSo: () => Promise<boolean>): Promise<void> {
    let last = "";
    const isWell = async () => {
      const { exitCode, output } = await this.host.status();
      last = output;
      return exitCode === 0 && (await isSo());
    };
    await until(what, 260, isWell, () => last);
  }
}
