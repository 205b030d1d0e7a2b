/** The stand-in for the random provider: RandomId. */
import { randomBytes } from "node:crypto";
import { generatedResource } from "../generated";
import { Provider, serve } from "../provider";
import { versions } from "../versions";

export const randomId = generatedResource({
  fields: { byteLength: "integer", prefix: "string", keepers: { values: "string" } },
  required: ["byteLength"],
  outputs: ["hex", "dec", "b64Url", "b64Std"],
  generate(inputs) {
    const { byteLength, prefix = "" } = inputs as { byteLength: number; prefix?: string };
    const bytes = randomBytes(byteLength);
    const id = bytes.toString("base64url");
    return Promise.resolve({
      id,
      outputs: {
        hex: prefix + bytes.toString("hex"),
        dec: prefix + BigInt(`0x${bytes.toString("hex")}`).toString(),
        b64Url: prefix + id,
        b64Std: prefix + bytes.toString("base64"),
      },
    });
  },
});

export const random: Provider = {
  name: "random",
  version: versions.random,
  resource: (type) => (type === "random:index/randomId:RandomId" ? randomId : undefined),
};

if (require.main === module) void serve(random);
