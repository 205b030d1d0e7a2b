import { rpmVm } from "../../lab/paths";
import { Mesh } from "./mesh";
import { adding } from "./steps/adding";
import { adopting } from "./steps/adopting";
import { asserting } from "./steps/asserting";
import { capturing } from "./steps/capturing";
import { coexisting } from "./steps/coexisting";
import { comingBack } from "./steps/comingBack";
import { confirming } from "./steps/confirming";
import { containing } from "./steps/containing";
import { drifting } from "./steps/drifting";
import { finishing } from "./steps/finishing";
import { firewalls } from "./steps/firewalls";
import { interrupting } from "./steps/interrupting";
import { lockingOut } from "./steps/lockingOut";
import { naming } from "./steps/naming";
import { privileges } from "./steps/privileges";
import { recovering } from "./steps/recovering";
import { refusing } from "./steps/refusing";
import { respecting } from "./steps/respecting";
import { restoring } from "./steps/restoring";
import { sleeping } from "./steps/sleeping";
import { surviving } from "./steps/surviving";
import { tellingTime } from "./steps/tellingTime";
import { tokens } from "./steps/tokens";
import { updating } from "./steps/updating";
import { upgrading } from "./steps/upgrading";
import { THOROUGH } from "./times";

describe("hosts that operators trust", () => {
  const mesh = new Mesh();
  before(() => mesh.begin());
  after(() => mesh.end());

  refusing(mesh);
  firewalls(mesh);
  restoring(mesh);
  adopting(mesh);
  privileges(mesh);
  drifting(mesh);
  adding(mesh);
  respecting(mesh);
  coexisting(mesh);
  capturing(mesh);
  containing(mesh);
  confirming(mesh);
  comingBack(mesh);
  asserting(mesh);
  naming(mesh);
  tellingTime(mesh);
  tokens(mesh);
  sleeping(mesh);
  // Of the package manager alone.
  restoring(mesh, rpmVm);
  drifting(mesh, rpmVm, []);
  updating(mesh, rpmVm, []);
  interrupting(mesh);
  surviving(mesh);
  // Minutes of waiting for timers, reboots and time-outs: make test-faults.
  if (THOROUGH) {
    lockingOut(mesh);
    updating(mesh);
    finishing(mesh);
    recovering(mesh);
    upgrading(mesh);
  }
});
