/**
 * The cache of what is built: each artifact is a folder `artifacts/<name>-<digest of its inputs>`, made in a temporary
 * place and renamed when complete. What has the right name is right, so nothing is ever updated in place.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { withLock } from "./lock";
import { cacheFolder, checkout, folder, listFolder } from "./paths";
import { Log } from "./run";

/** How one artifact is made. */
export interface Recipe {
  readonly name: string;
  /** What the progress display calls it. */
  readonly title: string;
  /** Files and folders of the checkout that decide what comes out, the recipe's own file among them. */
  readonly files: string[];
  /** Artifacts that it is made from. */
  readonly needs?: Recipe[];
  /** Makes it in the folder `out`. */
  build(context: BuildContext): Promise<void>;
}

export interface BuildContext {
  /** An empty folder, which becomes the artifact. */
  readonly out: string;
  readonly log: Log;
  /** Where the artifact of one of `needs` is. */
  readonly artifact: (recipe: Recipe) => string;
}

const artifactsFolder = join(cacheFolder, "artifacts");

/** Where a recipe's artifact is, or will be. */
export function artifactPath(recipe: Recipe): string {
  return join(artifactsFolder, `${recipe.name}-${digest(recipe)}`);
}

/** Whether it need not be built. */
export function isBuilt(recipe: Recipe): boolean {
  return existsSync(artifactPath(recipe));
}

/** Builds an artifact unless it is there. Its needs must be there. */
export async function build(recipe: Recipe, log: Log): Promise<void> {
  await withLock(join(cacheFolder, "locks", recipe.name), recipe.title, async () => {
    if (isBuilt(recipe)) return;
    // We hold the lock, so whatever is under this name was left by a build that did not end.
    const out = join(artifactsFolder, `unfinished-${recipe.name}`);
    rmSync(out, { recursive: true, force: true });
    folder(out);
    await recipe.build({ out, log, artifact: artifactPath });
    renameSync(out, artifactPath(recipe));
    prune(recipe);
  });
}

/** Notes that a lab uses an artifact, as `uses/<name>` in its state; this keeps the artifact from being pruned. */
export function use(state: string, name: string, recipe: Recipe): void {
  const link = join(folder(state, "uses"), name);
  const unfinished = `${link}.${process.pid}`;
  symlinkSync(artifactPath(recipe), unfinished);
  renameSync(unfinished, link);
}

function prune(recipe: Recipe): void {
  const states = join(cacheFolder, "state");
  const used = listFolder(states).flatMap((lab) =>
    listFolder(join(states, lab, "uses")).map((link) => basename(readlinkSync(join(states, lab, "uses", link)))),
  );
  for (const old of listFolder(artifactsFolder)) {
    const [, name] = /^(.+)-[0-9a-f]{16}$/.exec(old) ?? [];
    if (name === recipe.name && old !== basename(artifactPath(recipe)) && !used.includes(old)) {
      rmSync(join(artifactsFolder, old), { recursive: true });
    }
  }
}

const digests = new Map<Recipe, string>();

function digest(recipe: Recipe): string {
  let known = digests.get(recipe);
  if (!known) {
    const hash = createHash("sha256").update(recipe.name);
    for (const file of recipe.files.flatMap((path) => filesUnder(join(checkout, path)))) {
      hash.update(`\n${relative(checkout, file)}\n`).update(readFileSync(file));
    }
    for (const need of recipe.needs ?? []) hash.update(`\n${need.name} ${digest(need)}`);
    known = hash.digest("hex").slice(0, 16);
    digests.set(recipe, known);
  }
  return known;
}

function filesUnder(path: string): string[] {
  return statSync(path).isDirectory() ? listFolder(path).flatMap((name) => filesUnder(join(path, name))) : [path];
}
