import assert from "node:assert/strict";
import { controllersNeeded, hierarchies, unified } from "../../../lab/cgroups";
import { inotifyProblem, kernelProblems, type Kernel } from "../../../lab/kernel";

/** A machine's hierarchies: from what is mounted below /sys/fs/cgroup, and /proc/self/cgroup. */
function machine(mounts: string[], cgroup: string[], root: Record<string, string> = {}) {
  const files: Record<string, string> = {
    "/proc/self/mounts": ["proc /proc proc rw 0 0", ...mounts].join("\n"),
    "/proc/self/cgroup": `${cgroup.join("\n")}\n`,
    ...root,
  };
  return hierarchies((path) => files[path] ?? assert.fail(`${path} was read`));
}

const v1Mounts = [
  "tmpfs /sys/fs/cgroup tmpfs ro,mode=755 0 0",
  "cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0",
  "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0",
  ...["cpuset", "memory", "pids", "devices", "freezer"].map(
    (name) => `cgroup /sys/fs/cgroup/${name} cgroup rw,${name} 0 0`,
  ),
];
const v1Cgroup = [
  "7:name=systemd:/user.slice/user-0.slice/session-1.scope",
  "6:cpu,cpuacct:/user.slice",
  ...["cpuset", "memory", "pids", "devices", "freezer"].map((name, index) => `${index + 1}:${name}:/`),
];
const v1 = machine(v1Mounts, v1Cgroup);
const hybrid = machine(
  [...v1Mounts, "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0"],
  [...v1Cgroup, "0::/user.slice/user-0.slice/session-1.scope"],
  { "/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb cpu\n" },
);
const v2With = (controllers: string, mounts: string[] = [], cgroup: string[] = []) =>
  machine(
    ["cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0", ...mounts],
    [...cgroup, "0::/user.slice/user-0.slice/session-1.scope"],
    { "/sys/fs/cgroup/cgroup.controllers": `${controllers}\n` },
  );
const v2 = v2With("cpuset cpu io memory pids");

const good: Kernel = {
  hierarchies: v2,
  rootOccupied: false,
  filesystems: "nodev\tproc\nnodev\toverlay\n\text4\n",
  bridgeFilter: true,
  notLoaded: {},
};
const problems = (kernel: Partial<Kernel>) => kernelProblems({ ...good, ...kernel });

describe("cgroup hierarchies", () => {
  it("finds where this process is in those of v1, two controllers in one included", () => {
    assert.deepEqual(v1[0], {
      version: 1,
      controllers: ["name=systemd"],
      mount: "/sys/fs/cgroup/systemd",
      own: "/sys/fs/cgroup/systemd/user.slice/user-0.slice/session-1.scope",
    });
    assert.equal(v1[1]!.own, "/sys/fs/cgroup/cpu,cpuacct/user.slice");
    assert.equal(v1.length, 7);
  });

  it("takes a machine for one of cgroup v2 alone only if that is what /sys/fs/cgroup is", () => {
    assert.equal(unified(v1), undefined);
    assert.equal(hybrid.at(-1)!.version, 2);
    assert.equal(unified(hybrid), undefined);
    assert.equal(unified(v2)?.mount, "/sys/fs/cgroup");
    assert.equal(unified(v2With("cpu", ["c /sys/fs/cgroup/n cgroup rw,net_cls 0 0"], ["1:net_cls:/"]))?.version, 2);
  });
});

describe("the kernel's preflight", () => {
  it("is content with v1, hybrid and v2, and without a cpuset on v2", () => {
    for (const each of [v1, hybrid, v2, v2With("cpu io memory pids")])
      assert.deepEqual(problems({ hierarchies: each }), []);
  });

  it("names the controllers that are missing on v2, and what keeps them away", () => {
    const [problem, ...others] = problems({ hierarchies: v2With("cpuset cpu io") });
    assert.match(problem!, /^no cgroup controllers memory, pids under .*: take cgroup_disable= off/);
    assert.deepEqual(others, []);
  });

  it("does not count a controller of v1 as one of v2, nor the other way round", () => {
    const mixed = v2With("cpu pids", ["cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0"], ["1:memory:/"]);
    assert.match(problems({ hierarchies: mixed })[0]!, /controllers memory under/);
    const [problem] = problems({ hierarchies: hybrid.filter(({ controllers }) => !controllers.includes("cpuacct")) });
    assert.match(problem!, /controllers cpu, cpuacct under .*systemd.unified_cgroup_hierarchy=1/);
  });

  it("says that there is no cgroup at all", () => {
    const [problem] = problems({ hierarchies: [] });
    assert.ok(problem!.includes(controllersNeeded[1].join(", ")), problem);
  });

  it("says that a container's root has processes", () => {
    assert.match(problems({ rootOccupied: true })[0]!, /processes in the root of \/sys\/fs\/cgroup/);
  });

  it("says which module is missing, and why it could not be loaded", () => {
    const [overlay, bridge] = problems({
      filesystems: "nodev\tproc\nnodev\tnotoverlay\n",
      bridgeFilter: false,
      notLoaded: { overlay: "modprobe: FATAL: Module overlay not found" },
    });
    assert.match(overlay!, /^no overlay file system \(modprobe: FATAL: .*reboot; .* the module overlay$/);
    assert.match(bridge!, /^no filtering of bridges by iptables: .* the module br_netfilter$/);
  });
});

describe("inotify instances", () => {
  it("suffice up to the limit", () => {
    assert.equal(inotifyProblem(128, 88, { node: true, vms: 2 }), undefined);
    assert.match(inotifyProblem(128, 89, { node: true, vms: 2 })!, /is 128, 89 are in use, .* 40 more: .*=1024`$/);
  });

  it("are not asked for by machines that run", () => {
    assert.equal(inotifyProblem(128, 128, { node: false, vms: 0 }), undefined);
  });

  it("are raised from where they are", () => {
    assert.match(inotifyProblem(1024, 1020, { node: false, vms: 1 })!, /max_user_instances=2048`$/);
  });
});
