/** Docker and Podman on a machine of the lab: the real ones, as Debian has them, with containers of the machine's own files. */
import type { Host } from "./host";

export const ENGINES = [
  { name: "podman", package: "podman", bridge: "podman0", image: "--rootfs /srv/box" },
  { name: "docker", package: "docker.io", bridge: "docker0", image: "box" },
] as const;
export type Engine = (typeof ENGINES)[number];

/** What a container is made of; the rest is the machine's /usr. */
const ROOT = `mkdir -p /srv/box && cd /srv/box
  mkdir -p usr etc proc sys dev tmp run
  for each in bin sbin lib lib64; do ln -sfn usr/$each $each; done`;

/** A systemd-nspawn machine lets nobody make cgroups or session keys, and its file system carries no overlay. */
const PREPARE = {
  podman: `mkdir -p /etc/containers
    printf '[storage]\\ndriver="vfs"\\nrunroot="/run/containers/storage"\\ngraphroot="/var/lib/containers/storage"\\n' >/etc/containers/storage.conf
    printf '[engine]\\ncgroup_manager="cgroupfs"\\nevents_logger="file"\\n[containers]\\ncgroups="disabled"\\n' >/etc/containers/containers.conf`,
  docker: `mkdir -p /etc/docker
    echo '{"runtimes": {"lab": {"path": "/usr/local/bin/crun-lab"}}, "default-runtime": "lab"}' >/etc/docker/daemon.json
    cat >/usr/local/bin/crun-lab <<'END'
#!/bin/sh
for word; do
  shift
  set -- "$@" "$word"
  [ "$word" != create ] || set -- "$@" --no-new-keyring
done
exec crun --cgroup-manager=disabled "$@"
END
    chmod 0755 /usr/local/bin/crun-lab
    systemctl restart docker
    tar -C /srv/box -c . | docker import - box`,
};

export async function installEngine(host: Host, { name, package: folder }: Engine): Promise<void> {
  await host.installDebs(folder);
  await host.sh(`${ROOT}\n${PREPARE[name]}`);
}

/** Starts a container: it runs the machine's own application (port 8080), or another server. */
export function serve(host: Host, engine: Engine, container: string, options: string, server = "/usr/local/bin/app") {
  const { name, image } = engine;
  const words = ["run --detach", `--name ${container}`, options, "--volume /usr:/usr:ro", image, server];
  return host.sh(`${name} ${words.join(" ")}`);
}

/** The address of a container. */
export async function addressOf(host: Host, { name }: Engine, container: string): Promise<string> {
  return (await host.sh(`${name} inspect --format '{{.NetworkSettings.IPAddress}}' ${container}`)).trim();
}

/** What a container, or one with the machine's own network, gets from a URL; empty if nothing. */
export async function fetchIn(host: Host, { name }: Engine, container: string, url: string): Promise<string> {
  return host.sh(`${name} exec ${container} curl -s --max-time 5 ${url} || :`);
}

export const remove = (host: Host, { name }: Engine, container: string) => host.sh(`${name} rm -f ${container}`);
