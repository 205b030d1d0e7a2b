/** `npm run docs`: writes what is made of the tables of checks and causes anew. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderCauses } from "../diagnosis/causes/render";
import { renderChecks } from "../diagnosis/checks/docs";

const write = (file: string, text: string) => writeFileSync(join(__dirname, "../docs", file), text);
write("checks.md", renderChecks());
write("causes.md", renderCauses());
