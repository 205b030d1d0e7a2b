import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What runs on a host, name -> text: `istio-vm` is the entry, and stays there as /var/lib/istio-vm/bin/istio-vm. */
export function hostScripts(): Record<string, string> {
  const folder = join(__dirname, "..", "host");
  const files = readdirSync(folder).filter((file) => file === "istio-vm" || file.endsWith(".sh"));
  return Object.fromEntries(files.sort().map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}
