/** Writes docs/checks.md anew: `npx tsx cli/docs.ts`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderChecks } from "../mesh/checks/docs";

writeFileSync(join(__dirname, "../docs/checks.md"), renderChecks());
