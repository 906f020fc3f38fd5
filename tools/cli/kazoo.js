#!/usr/bin/env node
// Plain JavaScript without packages: an old Node.js or missing packages must get one clear line.
require("./nodeVersion.js");
try {
  require.resolve("tsx/cjs");
} catch (error) {
  if (error.code !== "MODULE_NOT_FOUND") throw error;
  console.error("error: the packages are not installed\nnext: npm ci (make does it for you)");
  process.exit(1);
}
require("../shared/typescript.js");
// tsx wants stack traces in TypeScript lines. Pulumi takes traces for each resource, and translating them takes a tenth of a preview's time.
process.setSourceMapsEnabled(false);
void require("./main.ts").run();
