/** What the engine did, from `pulumi up --event-log FILE` (which PULUMI_DEBUG_COMMANDS=1 offers). */
import { readFileSync } from "node:fs";

/** One operation on a resource: events have ascending numbers. */
export interface Operation {
  /** create, update, replace, delete, same, ... */
  op: string;
  urn: string;
  began: number;
  ended: number;
}

/** A resource as its URN tells it. */
export interface ResourceName {
  /** The component of ours in which it is, such as `MeshHost`; undefined at the top level, and for components. */
  component?: string;
  type: string;
  name: string;
}

export function parseUrn(urn: string): ResourceName {
  const [, , types = "", ...rest] = urn.split("::");
  const chain = types.split("$");
  const name = rest.join("::");
  return { component: chain.length > 1 ? chain[0]!.split(":").at(-1) : undefined, type: chain.at(-1)!, name };
}

interface EngineEvent {
  sequence: number;
  resourcePreEvent?: { metadata: { op: string; urn: string } };
  resOutputsEvent?: { metadata: { op: string; urn: string } };
}

/** The operations that an event log tells of and that were carried out, in the order in which they began. */
export function readOperations(file: string): Operation[] {
  const events = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as EngineEvent);
  const operations: Operation[] = [];
  for (const { sequence, resourcePreEvent, resOutputsEvent } of events) {
    if (resourcePreEvent) {
      const { op, urn } = resourcePreEvent.metadata;
      operations.push({ op, urn, began: sequence, ended: NaN });
    }
    if (resOutputsEvent) {
      const { op, urn } = resOutputsEvent.metadata;
      const operation = operations.find((o) => o.op === op && o.urn === urn && Number.isNaN(o.ended));
      if (operation) operation.ended = sequence;
    }
  }
  return operations;
}
