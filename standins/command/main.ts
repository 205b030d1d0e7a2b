/** The stand-in for the command provider. */
import type { Provider, ResourceType } from "../provider";
import { serve } from "../serve";
import { versions } from "../versions";
import { command } from "./command";
import { copy } from "./copy";
import { local } from "./local";

const types: Record<string, ResourceType> = {
  "command:local:Command": local,
  "command:remote:Command": command,
  "command:remote:CopyToRemote": copy,
};

export const commandProvider: Provider = {
  name: "command",
  version: versions.command,
  resource: (type) => types[type],
};

if (require.main === module) void serve(commandProvider);
