/** Whether another CA can take the place of the mesh's, and how far it has come (mesh/rotation.ts). */
import { installationOf, isInstalled } from "../../config";
import { at } from "../../mesh/json";
import { TRUST_CONFIG } from "../../mesh/rotation";
import { about, type Check, each, ofCluster, ofConfig, ok, skipped, warning } from "./check";

const OWNERS = "who owns the existing mesh replaces its CA";

export const rotation: Check[] = [
  {
    code: "IVM412",
    title: "every proxy takes another CA at once",
    why: "Proxies that began before istiod and they were told how (ISTIO_MULTIROOT_MESH, PROXY_CONFIG_XDS_AGENT) learn of another CA only when their certificates are renewed, half a day later, and the replacement of the CA waits for them.",
    fix: "restart it: kubectl rollout restart deployment, with its name and namespace; a host: pulumi up",
    evaluate: ofCluster(["proxies"], ({ proxies }, { config, outputs }) => {
      const installation = installationOf(config);
      if (installation === undefined) return skipped(OWNERS);
      if (outputs === undefined || proxies === undefined) return skipped("nothing is installed yet");
      const other = at(installation.operator, "spec.values.pilot.env.SHARED_MESH_CONFIG");
      if (typeof other === "string" && other !== TRUST_CONFIG) {
        return warning(
          `the IstioOperator has istiod read the mesh config ${other} (SHARED_MESH_CONFIG), so that nothing tells proxies to have themselves certified by another CA`,
          `before the CA is replaced, move what ${other} says into meshConfig, and leave SHARED_MESH_CONFIG out; or restart all proxies when the other CA signs`,
        );
      }
      const late = proxies.filter(({ takesRoots }) => !takesRoots);
      return each(late, ({ name }) => about(name, warning(`${name} learns of another CA only half a day later`)));
    }),
  },
  {
    code: "IVM413",
    title: "the replacement of the CA goes on",
    why: "It takes no next step before every proxy has what that needs. Until it has ended, a certificate of either CA is believed.",
    fix: "pulumi up, when they can be asked; or ca.rotation.absent: leave, and they rejoin later",
    evaluate: ofConfig(({ config, outputs }) => {
      if (!isInstalled(config)) return skipped(OWNERS);
      if (outputs?.authorities === undefined) return skipped("nothing is installed yet");
      const { known, signer, wanted, waitsFor } = outputs.authorities;
      if (waitsFor.length > 0) return warning(`the CA ${wanted} waits for ${waitsFor.join("; ")}`);
      return ok(
        known.length === 1 ? `${signer} alone` : `${wanted} takes its place, ${signer} signs: pulumi up goes on`,
      );
    }),
  },
];
