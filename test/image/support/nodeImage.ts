import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseImage } from "./baseImage";
import { run } from "./commands";
import type { Engine } from "./engine";
import { ensureImage } from "./images";

/** The Node of the tests' base image: what to give as NODE_IMAGE and NODE_VERSION. */
export const node = { image: "kazoo-test/node", version: "18" } as const;

const npm = "npm@10.9.9";

/**
 * The replacement of the official Node image: Debian's Node, and npm from its registry (Debian's npm brings 400 packages).
 * @returns its tag
 */
export async function nodeImage(engine: Engine): Promise<string> {
  return await ensureImage(engine, {
    tag: `${node.image}:${node.version}`,
    dockerfile: `FROM ${await baseImage(engine)}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
      nodejs git ca-certificates && rm -rf /var/lib/apt/lists/*
COPY folder/ /usr/local/lib/node_modules/npm/
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version
`,
    folder: { make: unpackNpm, key: npm },
  });
}

async function unpackNpm(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-npm-"));
  const [archive] = JSON.parse(await run("npm", ["pack", npm, "--json", "--pack-destination", folder])) as [
    { filename: string },
  ];
  const unpacked = join(folder, "npm");
  mkdirSync(unpacked);
  await run("tar", ["-xzf", join(folder, archive.filename), "--strip-components=1", "-C", unpacked]);
  rmSync(join(folder, archive.filename));
  const result = mkdtempSync(join(tmpdir(), "kazoo-npm-"));
  await run("mv", ["-T", unpacked, result]);
  rmSync(folder, { recursive: true });
  return result;
}
