#!/usr/bin/env node
// `npx istio-vm`: the command line is TypeScript, as the program is.
require("tsx/cjs");
require("./main.ts");
