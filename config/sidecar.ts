/** The istio-sidecar packages of a stack. */
import { ARCHITECTURES, FORMATS, type Stack } from "./schema";
import type { SidecarFields } from "./schema/sidecar";

/** One of them: for which hosts, and where it is from. */
export interface PackageConfig {
  format: (typeof FORMATS)[number];
  architecture: (typeof ARCHITECTURES)[number];
  /** From where a host fetches it, or a file here. */
  source: { url: string } | { secret: string } | { file: string };
  sha256: string;
  /** Which field of the configuration says so. */
  place: string;
}

type Fields = Extract<SidecarFields, { sha256: string }>;

function sourceOf(fields: Fields): PackageConfig["source"] {
  if ("file" in fields) return { file: fields.file };
  return typeof fields.url === "string" ? { url: fields.url } : fields.url;
}

/**
 * Of a package alone, its name tells for which hosts it is; if it does not, it is Debian's on x86-64.
 *
 * @param place which field has them
 */
export function packagesOf(sidecar: SidecarFields, place: string): PackageConfig[] {
  if ("sha256" in sidecar) {
    const source = sourceOf(sidecar);
    const name = "secret" in source ? "" : Object.values(source)[0]!.replace(/^.*\//, "");
    const format = name.endsWith(".rpm") ? "rpm" : "deb";
    const architecture = /arm64|aarch64/.test(name) ? "arm64" : "amd64";
    return [{ format, architecture, source, sha256: sidecar.sha256, place }];
  }
  return FORMATS.flatMap((format) =>
    ARCHITECTURES.flatMap((architecture) => {
      const fields = sidecar[format]?.[architecture];
      if (fields === undefined) return [];
      const source = sourceOf(fields);
      return [{ format, architecture, source, sha256: fields.sha256, place: `${place}.${format}.${architecture}` }];
    }),
  );
}

/** Those of the stack, and those that hosts have of their own. */
export function allPackages({ sidecar, hosts }: Stack): PackageConfig[] {
  const own = hosts.flatMap((host, i) => (host.sidecar ? packagesOf(host.sidecar, `hosts[${i}].sidecar`) : []));
  return [...packagesOf(sidecar, "sidecar"), ...own];
}
