/** The Pulumi CLI, and the kubernetes provider as Pulumi publishes its source: one Go module, as they share packages. */
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder } from "../paths";
import { run } from "../run";
import { goBuild, moduleDirectory, moduleFolder } from "./go";

const version = "3.274.1";
/** That of the SDK which the provider serves (package.json). */
export const kubernetesProviderVersion = "4.34.2";
const provider = "github.com/pulumi/pulumi-kubernetes/provider/v4";

/** bin/{pulumi,pulumi-resource-kubernetes} */
export const engine: Recipe = {
  name: "pulumi-engine",
  title: `Pulumi CLI ${version}, kubernetes provider ${kubernetesProviderVersion} (Go)`,
  files: ["lab/build/pulumi", "lab/recipes/engine.ts", "lab/recipes/go.ts"],
  async build({ out, log }) {
    const work = folder(out, "work");
    const source = join(work, "provider");
    cpSync(await moduleDirectory("pulumi", provider), source, { recursive: true });
    await run(["chmod", "-R", "u+w", source], { log });
    completeProvider(source);
    const modfile = join(work, "go.mod");
    const module = readFileSync(join(moduleFolder("pulumi"), "go.mod"), "utf8");
    writeFileSync(modfile, `${module}\nreplace ${provider} => ${source}\n`);
    copyFileSync(join(moduleFolder("pulumi"), "go.sum"), join(work, "go.sum"));
    await goBuild({
      module: "pulumi",
      modfile,
      packages: ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", `${provider}/cmd/pulumi-resource-kubernetes`],
      out: folder(out, "bin"),
      log,
      variables: {
        "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": `v${version}`,
        [`${provider}/pkg/version.Version`]: kubernetesProviderVersion,
      },
    });
    rmSync(work, { recursive: true });
  },
};

/** Does what the provider's own build does before it compiles (cmd/pulumi-resource-kubernetes/generate.go). */
function completeProvider(source: string): void {
  const main = join(source, "cmd", "pulumi-resource-kubernetes");
  const read = (name: string) => JSON.parse(readFileSync(join(main, name), "utf8")) as object;
  const schema = { ...read("schema.json"), version: kubernetesProviderVersion };
  writeFileSync(join(main, "schema-embed.json"), JSON.stringify(schema));
  writeFileSync(join(main, "terraform-mapping-embed.json"), JSON.stringify(read("terraform-mapping.json")));
  // The CLI's version of pkg/v3 has a pointer here.
  edit(
    join(source, "pkg", "gen", "schema.go"),
    "\t\tProvider: pschema.ResourceSpec{",
    "\t\tProvider: &pschema.ResourceSpec{",
  );
  const construct = "provider_construct.go";
  copyFileSync(join(moduleFolder("pulumi"), "kubernetes", construct), join(source, "pkg", "provider", construct));
}

/** @throws unless the file has this text */
function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, "utf8");
  if (!text.includes(from)) throw new Error(`${file} is not what this recipe was made for: it lacks ${from.trim()}`);
  writeFileSync(file, text.replace(from, to));
}
