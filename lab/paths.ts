/** Names, addresses and folders: everything about a lab that is known before it runs. */
import { mkdirSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The folder `lab/` of this checkout. */
export const labFolder = __dirname;
/** This checkout. */
export const checkout = resolve(__dirname, "..");
/** Where artifacts and states are kept, outside of every checkout (ISTIO_VM_CACHE, else ~/.cache/pulumi-istio-vm). */
export const cacheFolder = resolve(process.env.ISTIO_VM_CACHE ?? join(homedir(), ".cache", "pulumi-istio-vm"));

export const bridge = { name: "br0", address: "172.30.0.1", prefix: 24 };
/** Node ports answer at both of its addresses, as those of a cluster with several nodes do. */
export const node = { name: "lab-node", address: "172.30.0.10", second: "172.30.0.11" };
export const podRange = "10.244.0.0/16";
export const serviceRange = "10.96.0.0/16";
/** The same of a lab with both families of addresses (lab/dual.ts); node/run.sh and node/dual/ have them as well. */
export const ipv6 = {
  ...{ prefix: 64, bridge: "fd00:30::1", node: "fd00:30::10", dns: "fd00:96::a" },
  ...{ podRange: "fd00:244::/56", serviceRange: "fd00:96::/112" },
};
/** Where a VM fetches the sidecar package. */
export const packageUrl = `http://${bridge.address}:8000/istio-sidecar.deb`;
export const rpmUrl = packageUrl.replace(/deb$/, "rpm");

/** The machine whose package manager is rpm. */
export const rpmVm = "rpm1" as const;

const maxVms = 9;

/** One instance of the lab. Instances share artifacts and nothing else, so all use the same addresses. */
export interface Lab {
  readonly name: string;
  /** Its folder: cluster, disks, keys, logs. */
  readonly state: string;
  /** Name of its network namespace, as `ip netns` shows it. */
  readonly netns: string;
  /** The namespace as a file, for nsenter. */
  readonly netnsFile: string;
}

/**
 * The lab that LAB_NAME names (default `demo`).
 * @throws if the name can't be part of a machine's or a namespace's name
 */
export function labByName(name = process.env.LAB_NAME ?? "demo"): Lab {
  if (!/^[a-z][a-z0-9]{0,11}$/.test(name)) {
    throw new Error(`LAB_NAME is "${name}": use 1 to 12 lower-case letters and digits, a letter first`);
  }
  const netns = `istio-vm-${name}`;
  return { name, state: join(cacheFolder, "state", name), netns, netnsFile: `/run/netns/${netns}` };
}

/** A systemd machine of the lab. */
export interface Vm {
  /** Its hostname, and its name in ssh: vm1, vm2, ...; or rpm1. */
  readonly name: string;
  readonly address: string;
  /** The IPv6 address that it has as well, in a lab with both families. */
  readonly ipv6: string;
  /** Its address in another network, if a test has moved it there. */
  readonly elsewhere: string;
  /** Its folder in the lab's state. */
  readonly folder: string;
}

/**
 * A VM by name; vm1 is 172.30.0.21 (and fd00:30::21), vm2 is .22, and so on; rpm1 is .31.
 * @throws if the lab can't have a VM of that name
 */
export function vmByName(lab: Lab, name: string): Vm {
  const number = name === rpmVm ? 11 : Number(/^vm([1-9])$/.exec(name)?.[1]);
  if (!number) throw new Error(`there is no VM "${name}": VMs are vm1 to vm${maxVms}, and ${rpmVm}`);
  const [address, elsewhere] = ["172.30", "172.31"].map((network) => `${network}.0.${20 + number}`) as [string, string];
  return { name, address, ipv6: `fd00:30::${20 + number}`, elsewhere, folder: join(lab.state, "vms", name) };
}

/** The VMs that this lab has had so far, running or not. */
export function knownVms(lab: Lab): Vm[] {
  return listFolder(join(lab.state, "vms")).map((name) => vmByName(lab, name));
}

/**
 * How many VMs to bring up: what was asked for, else LAB_VMS, else 1.
 * @throws unless it is a whole number from 0 to 9
 */
export function vmCount(asked: string | undefined = process.env.LAB_VMS): number {
  const count = Number(asked ?? 1);
  if (!Number.isInteger(count) || count < 0 || count > maxVms) {
    throw new Error(`the number of VMs is "${asked}": use 0 to ${maxVms}`);
  }
  return count;
}

/** The folder, made if it is missing. */
export function folder(...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(path, { recursive: true });
  return path;
}

/** What is in a folder, sorted; nothing if the folder is not there. */
export function listFolder(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
