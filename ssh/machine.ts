/** Which machine a host is: whether another one answers where it was, and whether it is that of another host. */
import type { SshConfig } from "../config";
import { lookCommand, LOOK_SCRIPT } from "./commands";
import { type Login, loginProblem, run, type SessionOptions, withSession } from "./session";

/** A machine, seen from within. */
export interface Machine {
  /** Stays the same over reboots and changes of its addresses. */
  id: string;
  /** The mark of the stack that has joined it, and under which name. */
  owner?: string;
  name?: string;
  /** What time it is there, and the certificate by which it proves who it is, if it is joined. */
  now?: Date;
  certChain?: string;
  /** What it was sent for that, and the roots that it trusts. */
  sentChain?: string;
  rootCert?: string;
  /** The revocation lists by which it checks others, if it has any. */
  lists?: string;
}

const ID = /\bmachine ([0-9a-f]{16})$/m;

/** The id in what the first command on a host printed; undefined if it is that of an earlier version of this program. */
export const machineIn = (access: string): string | undefined => ID.exec(access)?.[1];

/** Looks which machine it is. @throws if it can't, in a person's words */
export async function lookAtMachine(login: Login, options?: SessionOptions): Promise<Machine> {
  const ask = withSession(login, (client) => run(client, lookCommand(), LOOK_SCRIPT), options);
  const look = await ask.catch((error: Error) => {
    throw loginProblem(error, login);
  });
  const id = machineIn(look.stdout);
  if (id === undefined) throw new Error(look.stderr.trim() || "it does not tell which machine it is");
  const field = (key: string) => new RegExp(`^${key} (.+)$`, "m").exec(look.stdout)?.[1];
  const epoch = field("epoch");
  const pem = (key: string) => {
    const text = field(key);
    return text === undefined ? undefined : Buffer.from(text, "base64").toString();
  };
  return {
    id,
    owner: field("owner"),
    name: field("name"),
    now: epoch === undefined ? undefined : new Date(Number(epoch) * 1000),
    certChain: pem("cert-chain"),
    sentChain: pem("sent-chain"),
    rootCert: pem("root-cert"),
    lists: pem("lists"),
  };
}

/** Where one logs in, and on which way, as text. */
export function targetOf({ host, port = 22, proxy }: Login): string {
  const at = `${host}:${port}`;
  return proxy ? `${at} through ${targetOf(proxy)}` : at;
}

export const configuredTarget = ({ host, port, bastion }: SshConfig) => targetOf({ host, port, proxy: bastion });

/** The hosts of a program, each by its name: they know of each other what must not be the same. */
export class Neighbours {
  private readonly machines = new Map<string, string>();

  /** @param targets where one logs in to each host that is not gone */
  constructor(private readonly targets: Map<string, string>) {}

  /** Notes which machine a host is, as soon as that is known. */
  note(name: string, machine: string): void {
    this.machines.set(name, machine);
  }

  /** Another host that is the same machine, if there is one. */
  twinOf(name: string): string | undefined {
    const mine = this.machines.get(name);
    return [...this.machines].find(([other, machine]) => other !== name && machine === mine)?.[0];
  }

  /** Whether another host is configured to be where this one was. */
  takeOver(target: string, name: string): boolean {
    return [...this.targets].some(([other, at]) => other !== name && at === target);
  }
}

/** A host that is to be found elsewhere than before. */
export interface Move {
  name: string;
  /** The stack's owner mark. */
  owner: string;
  from: Login;
  to: Login;
  /** The id of the machine as it was, if that is known. */
  machine?: string;
}

/**
 * Why a host may not be found elsewhere from now on: the machine that it was would stay joined for good, key and all, as
 * nothing would lead there any more. It may if it is the same machine, if another host of the program takes the old one
 * over (two that swap their names), or if nothing of it is there.
 *
 * @throws if the new place can't be looked at
 */
export async function moveProblem(
  { name, owner, from, to, machine }: Move,
  neighbours: Neighbours,
  look = lookAtMachine,
): Promise<string | undefined> {
  const [before, after] = [targetOf(from), targetOf(to)];
  if (before === after) return undefined;
  const isJoined = (found: Machine) => found.owner === owner && found.name === name;
  const there = await look(to);
  if (there.id === machine || isJoined(there)) return undefined;
  if (neighbours.takeOver(before, name)) return undefined;
  let unseen = "";
  try {
    if (!isJoined(await look(from))) return undefined;
  } catch (error) {
    unseen = ` (which can't be looked at: ${(error as Error).message})`;
  }
  return (
    `${name}: ${after} is another machine than the one that joined at ${before}${unseen}, which would stay joined. ` +
    `Nothing was changed. Give the other machine a name of its own in hosts: then it joins, and ${name} is given back. ` +
    `If the old one is gone for good, set gone: true for ${name}, with the address that it had, and pulumi up, before you take it off hosts`
  );
}
