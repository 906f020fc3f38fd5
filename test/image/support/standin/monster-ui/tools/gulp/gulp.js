#!/usr/bin/env node
// `gulp build-prod` of Monster UI, as far as an image build needs it: the sources, apps included, end up in dist.
const { cpSync, rmSync } = require("node:fs");

if (process.argv[2] !== "build-prod") throw new Error(`no task ${process.argv[2]}`);
rmSync("dist", { recursive: true, force: true });
cpSync("src", "dist", { recursive: true });
