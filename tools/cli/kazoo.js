#!/usr/bin/env node
// What must work before anything is known to be there: an old Node.js, or no packages yet, get one clear line.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: Node.js ${process.versions.node} is too old\nnext: install Node.js 20.19 or newer`);
  process.exit(1);
}
try {
  require("tsx/cjs");
} catch (error) {
  if (error.code !== "MODULE_NOT_FOUND") throw error;
  console.error("error: the packages are not installed\nnext: npm ci (make does it by itself)");
  process.exit(1);
}
require("./main.ts").run();
