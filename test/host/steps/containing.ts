import assert from "node:assert/strict";
import { serviceEntrySpec, serviceSpec } from "../../../mesh/externalService";
import { until } from "../../../lab/run";
import { apply, askFromPod, askPlainly, kubectl, readPage, untilPodSees } from "../../e2e/mesh";
import { ENGINES, fetchIn, installEngine, remove, serve } from "../containers";
import type { Host } from "../host";
import type { Mesh } from "../mesh";

const NAME = { name: "boxes", namespace: "vm" };
const URL = "http://boxes.vm.svc.cluster.local:8080";
/** A service of the mesh that another host serves: there is no way to it but through a sidecar. */
const MESH_URL = "http://vmhttp.vm.svc.cluster.local:8080/";
const ID = (host: string) => `spiffe://cluster.local/ns/vm/sa/${host}`;

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
        await server.mustJoin();
        await installEngine(host, engine);
        const ports = [{ port: 8080, protocol: "HTTP" as const }];
        const endpoint = { address: host.address, serviceAccount: host.name, labels: {} };
        await apply(
          { apiVersion: "v1", kind: "Service", metadata: NAME, spec: serviceSpec(ports) },
          {
            apiVersion: "networking.istio.io/v1",
            kind: "ServiceEntry",
            metadata: NAME,
            spec: serviceEntrySpec("boxes.vm.svc.cluster.local", ports, [endpoint]),
          },
        );
      });
      after(() => kubectl("delete", "serviceentry,service", NAME.name, `--namespace=${NAME.namespace}`));

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
        assert.deepEqual([by, client], [ID("vm3"), "spiffe://cluster.local/ns/default/sa/sleep"]);
        const identity = (page: string) => readPage(page).client === ID("vm3");
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
        for (const environment of ["", KNOWN]) {
          await joined(environment);
          assert.match(await fetch("http://172.30.0.1:8000/"), /./, "the outside");
          await serve(host, engine, "second", "--hostname second");
          const address = (
            await host.sh(`${name} inspect second | sed -n 's/.*"IPAddress": "\\(.*\\)",/\\1/p' | head -n 1`)
          ).trim();
          assert.match(await fetch(`http://${address}:8080/`), /^This is second\./, "each other");
          assert.match(
            await host.sh(`curl -s --max-time 5 http://${address}:8080/`),
            /^This is second\./,
            "from the host",
          );
          const published = await fetch(`http://${host.address}:8085/`, "second");
          console.log(
            `        ${environment ? "known" : "unknown"}: by the host's published port: ${published.split("\n")[0]}`,
          );
          await remove(host, engine, "second");
        }
      });

      it("call the mesh past the sidecar: nobody answers, and an inbound port of anybody is taken for the host's", async () => {
        await joined();
        assert.equal(await fetch(MESH_URL), "");
        console.log(`        a stranger's 8080: ${(await fetch(`http://${stranger.address}:8080/`)).split("\n")[0]}`);
      });

      it(`call the mesh as the host, through the sidecar, with KUBE_VIRT_INTERFACES, and others as before`, async () => {
        await joined(KNOWN);
        await untilFetched("the mesh to answer the container", MESH_URL, (page) => readPage(page).client === ID("vm3"));
        assert.match(await fetch(`http://${stranger.address}:8080/`), /^This is vm2\./);
      });
    });
  }
}
