/** The container images, in one archive as `docker save` writes it: no registry is needed. */
import { createHash } from "node:crypto";
import { copyFileSync, createReadStream, linkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BuildContext, Recipe } from "../artifacts";
import { folder } from "../paths";
import { run, type Log } from "../run";
import { EARLIER, earlierIstio, envoy, istio, istioHub, RELEASE } from "./istio";
import { kubernetes } from "./kubernetes";
import { imageBase } from "./roots";

interface Image {
  tag: string;
  /** Files of the image's own layer, by their path in it. */
  files: Record<string, string>;
  /** Whether it stands on the Debian base. */
  based: boolean;
  config: { Entrypoint?: string[]; Cmd?: string[]; User?: string };
}

const binaryIn = (artifact: BuildContext["artifact"]) => (recipe: Recipe, name: string) =>
  join(artifact(recipe), "bin", name);

/** Istio's pilot and proxyv2 as their Dockerfiles make them. */
const ofIstio = (ofRelease: Recipe, version: string, artifact: BuildContext["artifact"]): Image[] => {
  const binary = binaryIn(artifact);
  return [
    {
      tag: `${istioHub}/pilot:${version}`,
      files: { "usr/local/bin/pilot-discovery": binary(ofRelease, "pilot-discovery") },
      based: true,
      config: { Entrypoint: ["/usr/local/bin/pilot-discovery"], User: "1337:1337" },
    },
    {
      tag: `${istioHub}/proxyv2:${version}`,
      files: {
        "usr/local/bin/pilot-agent": binary(ofRelease, "pilot-agent"),
        "usr/local/bin/envoy": binary(envoy, "envoy"),
        "var/lib/istio/envoy/envoy_bootstrap_tmpl.json": join(artifact(ofRelease), "packaging", "envoy_bootstrap.json"),
      },
      based: true,
      config: { Entrypoint: ["/usr/local/bin/pilot-agent"] },
    },
  ];
};

/** images.tar: pause, CoreDNS, Istio's, and tools (sh, sleep, curl). */
export const images: Recipe = {
  name: "images",
  title: "container images",
  files: ["lab/recipes/images.ts"],
  needs: [kubernetes, istio, envoy, imageBase],
  async build({ out, log, artifact }) {
    const binary = binaryIn(artifact);
    const list: Image[] = [
      {
        tag: "lab.local/pause:1",
        files: { pause: binary(kubernetes, "pause") },
        based: false,
        config: { Entrypoint: ["/pause"] },
      },
      {
        tag: "lab.local/coredns:1.12.2",
        files: { coredns: binary(kubernetes, "coredns") },
        based: false,
        config: { Entrypoint: ["/coredns"] },
      },
      ...ofIstio(istio, RELEASE.version, artifact),
      { tag: "lab.local/tools:1", files: {}, based: true, config: { Cmd: ["/bin/sleep", "infinity"] } },
    ];
    await writeArchive(list, join(artifact(imageBase), "layer.tar"), out, log);
  },
};

/** images.tar: those of the earlier Istio. */
export const earlierImages: Recipe = {
  name: "images-1.30",
  title: `container images of Istio ${EARLIER.version}`,
  files: ["lab/recipes/images.ts"],
  needs: [earlierIstio, envoy, imageBase],
  build: ({ out, log, artifact }) =>
    writeArchive(ofIstio(earlierIstio, EARLIER.version, artifact), join(artifact(imageBase), "layer.tar"), out, log),
};

async function writeArchive(list: Image[], base: string, out: string, log: Log): Promise<void> {
  const tree = folder(out, "tree");
  const baseDigest = await sha256(base);
  linkSync(base, join(tree, `${baseDigest}.tar`));
  const manifest = [];
  for (const image of list) {
    const layers = image.based ? [baseDigest] : [];
    if (Object.keys(image.files).length > 0) layers.push(await writeLayer(image.files, tree, out, log));
    const config = JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { ...image.config, Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${layer}`) },
      history: layers.map(() => ({ created_by: "lab/recipes/images.ts" })),
    });
    const configFile = `${createHash("sha256").update(config).digest("hex")}.json`;
    writeFileSync(join(tree, configFile), config);
    manifest.push({ Config: configFile, RepoTags: [image.tag], Layers: layers.map((layer) => `${layer}.tar`) });
  }
  writeFileSync(join(tree, "manifest.json"), JSON.stringify(manifest));
  await run(["tar", "-C", tree, "-cf", join(out, "images.tar"), "."], { log });
  rmSync(tree, { recursive: true });
}

/** Writes a layer into the archive's tree and returns its digest. */
async function writeLayer(files: Record<string, string>, tree: string, out: string, log: Log): Promise<string> {
  const root = folder(out, "layer");
  for (const [path, from] of Object.entries(files))
    copyFileSync(from, join(folder(root, dirname(path)), path.split("/").at(-1)!));
  const tar = join(out, "layer.tar");
  await run(
    ["tar", "--sort=name", "--owner=0", "--group=0", "--mtime=@0", "--mode=a+rX", "-C", root, "-cf", tar, "."],
    { log },
  );
  rmSync(root, { recursive: true });
  const digest = await sha256(tar);
  renameSync(tar, join(tree, `${digest}.tar`));
  return digest;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
