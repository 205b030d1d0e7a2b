/** The npm packages that a program sees. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The parts of a package.json that matter to Pulumi. */
interface Manifest {
  name: string;
  version: string;
  pulumi?: { resource?: boolean; name?: string; version?: string; server?: string };
}

/** The package.json in this directory. Throws if there is none. */
const manifest = (directory: string): Manifest =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;

/** The packages in all node_modules above a program's directory; the nearest of each name. */
export function* installedPackages(directory: string): Generator<Manifest> {
  const seen = new Set<string>();
  for (let parent = directory; ; parent = dirname(parent)) {
    for (const path of packageDirectories(join(parent, "node_modules"))) {
      const found = manifest(path);
      if (!seen.has(found.name)) yield found;
      seen.add(found.name);
    }
    if (parent === dirname(parent)) return;
  }
}

function packageDirectories(modules: string): string[] {
  if (!existsSync(modules)) return [];
  return readdirSync(modules)
    .flatMap((name) => (name.startsWith("@") ? readdirSync(join(modules, name)).map((sub) => `${name}/${sub}`) : name))
    .map((name) => join(modules, name))
    .filter((path) => existsSync(join(path, "package.json")));
}
