/**
 * Another site than the cluster's: a network of its own in the lab, with no route to the cluster's or from there. One
 * machine is in both, a load balancer of the cluster's can be reached from it, and whoever runs Pulumi reaches everybody.
 */
import { leaderOf } from "../../lab/cgroups";
import { bridge, type Lab, vmByName } from "../../lab/paths";
import { run } from "../../lab/run";
import { vmExec } from "../../lab/vm";

export const SITE = { link: "br1", address: "172.31.0.1" };
/** Where machines there send what is for elsewhere, and ask for names. */
const NOBODY = "172.31.0.254";
/** The number of the network of a machine with a leg in both. */
const SECOND_LEG = "site0";

export async function openSite(): Promise<void> {
  await run(["ip", "link", "add", SITE.link, "type", "bridge"]);
  await run(["ip", "address", "add", `${SITE.address}/24`, "dev", SITE.link]);
  await run(["ip", "link", "set", SITE.link, "up"]);
}

export const closeSite = () => run(["ip", "link", "del", SITE.link]);

/** Moves a machine there, until it gets a fresh disk: its link is plugged in there, and it knows nothing of elsewhere. */
export async function moveThere(lab: Lab, vm: string): Promise<void> {
  await run(["ip", "link", "set", await linkOf(lab, vm), "master", SITE.link]);
  const address = vmByName(lab, vm).elsewhere;
  await vmExec(lab, vm, [
    ...["sh", "-euc"],
    `sed -i 's/^Address=.*/Address=${address}\\/24/; s/^Gateway=.*/Gateway=${NOBODY}/' /etc/systemd/network/10-host0.network
    networkctl reload
    networkctl reconfigure host0
    echo nameserver ${NOBODY} >/etc/resolv.conf`,
  ]);
}

/** Gives a machine a second link, into that site. */
export async function reachThere(lab: Lab, vm: string): Promise<void> {
  const outer = `${SECOND_LEG}-${vm}`;
  await run(["ip", "link", "add", outer, "type", "veth", "peer", "name", SECOND_LEG]);
  await run(["ip", "link", "set", SECOND_LEG, "netns", String(leaderOf(lab, vm))]);
  await run(["ip", "link", "set", outer, "master", SITE.link, "up"]);
  await vmExec(lab, vm, [
    ...["sh", "-euc"],
    `ip address add ${vmByName(lab, vm).elsewhere}/24 dev ${SECOND_LEG}; ip link set ${SECOND_LEG} up; sysctl -qw net.ipv4.ip_forward=0`,
  ]);
}

/** The end in the lab of a machine's link (systemd-nspawn, --network-bridge). */
async function linkOf(lab: Lab, vm: string): Promise<string> {
  const index = (await vmExec(lab, vm, ["cat", "/sys/class/net/host0/iflink"])).trim();
  const links = JSON.parse(await run(["ip", "-json", "link", "show", "master", bridge.name])) as {
    ifindex: number;
    ifname: string;
  }[];
  return links.find(({ ifindex }) => String(ifindex) === index)!.ifname;
}
