import assert from "node:assert/strict";
import { serviceEntrySpec, serviceSpec } from "../../../mesh/externalService";
import { servesLabels, WORKLOAD_ENTRY, workloadEntrySpec } from "../../../mesh/workloadEntry";
import { until } from "../../../lab/run";
import { apply, askFromPod, askPlainly, idOf, kubectl, readPage, untilPodSees } from "../../e2e/mesh";
import { addressOf, ENGINES, fetchIn, installEngine, remove, serve } from "../containers";
import type { Host } from "../host";
import type { Mesh } from "../mesh";

const NAME = { name: "boxes", namespace: "vm" };
const URL = "http://boxes.vm.svc.cluster.local:8080";
/** A service of the mesh that another host serves: there is no way to it but through a sidecar. */
const MESH_URL = "http://vmhttp.vm.svc.cluster.local:8080/";

/** What docs/host.md says of containers, a line of its table each. */
export function containing(mesh: Mesh): void {
  for (const engine of ENGINES) {
    const { name, bridge } = engine;
    describe(`containers of ${name} on a host`, () => {
      let host: Host;
      let server: Host;
      let stranger: Host;
      const joined = (environment = "") => host.mustJoin({ state: `${host.commands.state}${environment}` });
      const KNOWN = `\nsidecar.env KUBE_VIRT_INTERFACES=${bridge}`;
      const fetch = (url: string, container = "box") => fetchIn(host, engine, container, url);
      const untilFetched = (what: string, url: string, wanted: (page: string) => boolean, container?: string) => {
        let last = "";
        return until(
          what,
          20,
          async () => wanted((last = await fetch(url, container))),
          () => last,
        );
      };

      before(async () => {
        [host, server, stranger] = [mesh.host("vm3"), mesh.host("vm1"), mesh.host("vm2")];
        for (const each of [host, server, stranger]) await each.reset();
        // As on a machine without Docker, which turns it on: a new network has what this kernel's users made of it.
        const SHOWN = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        if (name === "podman") await host.sh(`[ ! -e ${SHOWN} ] || echo 0 >${SHOWN}`);
        await server.mustJoin();
        await installEngine(host, engine);
        const ports = [{ port: 8080, protocol: "HTTP" as const }];
        const workload = { address: host.address, serviceAccount: host.name, labels: servesLabels([NAME.name]) };
        await apply(
          { apiVersion: "v1", kind: "Service", metadata: NAME, spec: serviceSpec(ports) },
          {
            apiVersion: "networking.istio.io/v1",
            kind: "ServiceEntry",
            metadata: NAME,
            spec: serviceEntrySpec("boxes.vm.svc.cluster.local", NAME.name, ports, []),
          },
          { ...WORKLOAD_ENTRY, metadata: NAME, spec: workloadEntrySpec(workload) },
        );
      });
      after(() => kubectl("delete", "serviceentry,service,workloadentry", NAME.name, `--namespace=${NAME.namespace}`));

      it("that publish an inbound port: the host is refused before anything is changed", async () => {
        await host.exec("systemctl", "stop", "app");
        await serve(host, engine, "box", "--hostname box -p 8080:8080");
        const { exitCode, output } = await host.join();
        assert.equal(exitCode, 3, output);
        assert.match(output, /IVM740 inbound port 8080 is sent on to a container/);
        await remove(host, engine, "box");
      });

      it("with the host's network serve the mesh as any program does, and are the host to it", async () => {
        await serve(host, engine, "hostly", "--network host");
        await joined();
        const { server: by, client } = await untilPodSees(
          "the container",
          ({ page }) => page.startsWith("This is"),
          URL,
        );
        assert.deepEqual([by, client], [idOf("vm", "vm3"), "spiffe://cluster.local/ns/default/sa/sleep"]);
        const identity = (page: string) => readPage(page).client === idOf("vm", "vm3");
        await untilFetched("the mesh to answer a container that is the host", MESH_URL, identity, "hostly");
        await remove(host, engine, "hostly");
        await host.exec("systemctl", "start", "app");
      });

      it("that publish another port are reached past the sidecar, in plain text, by all, also after its restart", async () => {
        await serve(host, engine, "box", "--hostname box -p 8085:8080");
        await joined();
        for (let restart = 0; restart < 2; restart++) {
          const { page, client } = await askFromPod(`http://${host.address}:8085`);
          assert.match(page, /^This is box\./);
          assert.equal(client, undefined);
          assert.equal(await askPlainly(host.address, 8085), "answered");
          await host.exec("systemctl", "restart", "istio");
          await until("the sidecar to be ready", 30, async () => (await host.status()).exitCode === 0);
        }
      });

      it("reach everything outside of the mesh, each other and the host's published ports as before", async () => {
        await serve(host, engine, "second", "--hostname second", "python3 -m http.server 8086 --directory /usr/share");
        const second = `http://${await addressOf(host, engine, "second")}:8086/`;
        for (const environment of ["", KNOWN]) {
          await joined(environment);
          assert.match(await fetch("http://172.30.0.1:8000/"), /./, "the outside");
          assert.match(await fetch(second), /Directory listing/, "each other");
          assert.match(await host.sh(`curl -s --max-time 5 ${second}`), /Directory listing/, "from the host");
          assert.match(
            await fetch(`http://${host.address}:8085/`, "second"),
            /^This is box\./,
            "what the host publishes",
          );
        }
      });

      it("go past the sidecar, but for what they send to an inbound port, of whomever: that is taken for what comes in", async () => {
        await joined();
        const box = await addressOf(host, engine, "box");
        for (const url of [MESH_URL, `http://${stranger.address}:8080/`]) {
          assert.match(await fetch(url, "second"), /^upstream connect error/, url);
        }
        // Docker has the kernel show to iptables what goes over a bridge.
        const caught = name === "docker" ? /^upstream connect error/ : /^This is box\./;
        assert.match(await fetch(`http://${box}:8080/`, "second"), caught);
      });

      it("call the mesh as the host, through the sidecar, with KUBE_VIRT_INTERFACES, and all others as before", async () => {
        await joined(KNOWN);
        await untilFetched(
          "the mesh to answer",
          MESH_URL,
          (page) => readPage(page).client === idOf("vm", "vm3"),
          "second",
        );
        const box = await addressOf(host, engine, "box");
        assert.match(await fetch(`http://${stranger.address}:8080/`, "second"), /^This is vm2\./);
        assert.match(await fetch(`http://${box}:8080/`, "second"), /^This is box\./);
      });
    });
  }
}
