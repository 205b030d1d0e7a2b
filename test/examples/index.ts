/** The examples, by the names of their files in examples/. */
import { database } from "./database";
import type { Example } from "./example";
import { existingMesh } from "./existingMesh";
import { otherNetwork } from "./otherNetwork";
import { severalHosts } from "./severalHosts";
import { vmToMesh } from "./vmToMesh";

export const EXAMPLES: Record<string, Example> = {
  "existing-mesh": existingMesh,
  "vm-to-mesh": vmToMesh,
  database,
  "several-hosts": severalHosts,
  "other-network": otherNetwork,
};
