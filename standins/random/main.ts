/** The stand-in for the random provider: RandomId, of whose forms there is only `hex`. */
import { randomBytes } from "node:crypto";
import { generatedResource } from "../generated";
import type { Provider } from "../provider";
import { serve } from "../serve";
import { versions } from "../versions";

export const randomId = generatedResource({
  fields: { byteLength: "integer" },
  required: ["byteLength"],
  outputs: ["hex"],
  generate({ byteLength }) {
    const bytes = randomBytes(byteLength as number);
    return Promise.resolve({ id: bytes.toString("base64url"), outputs: { hex: bytes.toString("hex") } });
  },
});

export const random: Provider = {
  name: "random",
  version: versions.random,
  resource: (type) => (type === "random:index/randomId:RandomId" ? randomId : undefined),
};

if (require.main === module) void serve(random);
