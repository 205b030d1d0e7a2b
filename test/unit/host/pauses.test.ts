import { hostScripts, renderFiles } from "../../../ssh/bundle";
import { PHASES, PLACES, withPause } from "../../host/pauses";

// The host tests' own knowledge of the scripts: said here in a second, and not there after half an hour.
describe("where host tests stop the scripts", () => {
  const bundle = renderFiles(hostScripts());
  for (const phase of PHASES) {
    it(phase, () => PLACES.forEach((place) => withPause(bundle, phase, place)));
  }
});
