/** The istio-sidecar packages: one, or several of which each host takes the one that fits. */
import { z } from "zod";
import { is, map, path, secretName } from "./values";

const PACKAGE_URL = "an http or https URL without user, password or query; {secret: NAME} for one that has any";
const packageUrl = is(/^https?:\/\/[^\s'"\\?#@/]+(\/[^\s'"\\?#]*)?$/, PACKAGE_URL).refine(
  (url) => URL.canParse(url),
  PACKAGE_URL,
);
const sha256 = is(/^[0-9a-f]{64}$/, "a SHA-256 in hex");
const A_PACKAGE = "{url: URL, sha256: HEX} or {file: PATH, sha256: HEX}";
const onePackage = [
  map({
    /** From where each host fetches it; one that opens something by what it says is a secret. */
    url: z.union([packageUrl, map({ secret: secretName }, "{secret: NAME}")], { error: PACKAGE_URL }),
    sha256,
  }),
  map({
    /** A file here, which is copied to each host that takes it. */
    file: path,
    sha256,
  }),
] as const;
/** What hosts have. */
export const FORMATS = ["deb", "rpm"] as const;
export const ARCHITECTURES = ["amd64", "arm64"] as const;
const ofFormat = map({
  amd64: z.xor(onePackage, { error: A_PACKAGE }).optional(),
  arm64: z.xor(onePackage, { error: A_PACKAGE }).optional(),
}).refine((packages) => Object.keys(packages).length > 0, "a package for amd64, arm64 or both");
const several = map({ deb: ofFormat.optional(), rpm: ofFormat.optional() }).refine(
  (formats) => Object.keys(formats).length > 0,
  "packages as deb, rpm or both",
);

export const sidecar = z.xor([...onePackage, several], {
  error: `${A_PACKAGE}; or of several {deb: {amd64: ..., arm64: ...}, rpm: ...}`,
});

export type SidecarFields = z.infer<typeof sidecar>;
