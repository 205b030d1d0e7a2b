import { Mesh } from "./mesh";
import { drifting } from "./steps/drifting";
import { lockingOut } from "./steps/lockingOut";
import { privileges } from "./steps/privileges";
import { recovering } from "./steps/recovering";
import { refusing } from "./steps/refusing";
import { restoring } from "./steps/restoring";
import { surviving } from "./steps/surviving";
import { updating } from "./steps/updating";
import { upgrading } from "./steps/upgrading";

describe("hosts that operators trust", () => {
  const mesh = new Mesh();
  before(() => mesh.begin());
  after(() => mesh.end());

  refusing(mesh);
  restoring(mesh);
  privileges(mesh);
  drifting(mesh);
  // Minutes of waiting for timers, reboots and time-outs: make test-faults.
  if (process.env.ISTIO_VM_FAULTS) {
    lockingOut(mesh);
    updating(mesh);
    recovering(mesh);
    upgrading(mesh);
    surviving(mesh);
  }
});
