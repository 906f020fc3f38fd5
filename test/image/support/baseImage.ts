import { mkdirSync, mkdtempSync, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, findCommand, run } from "./commands";
import type { Engine } from "./engine";
import { withLock } from "./lock";

const suite = "bookworm";
const tag = `kazoo-test/debian:${suite}`;

/**
 * A minimal Debian as base of all images of the tests, made by debootstrap, since no image can be pulled on a closed
 * network. Its archive is kept in the user's cache.
 * @returns its tag
 */
export async function baseImage(engine: Engine): Promise<string> {
  return await withLock(join(cacheFolder(), "locks", "base-image"), async () => {
    if ((await engine.tryDocker(["image", "inspect", tag])).code === 0) return tag;
    const archive = join(cacheFolder(), "images", `debian-${suite}-${process.arch}.tar`);
    if (!existsSync(archive)) await bootstrap(archive);
    await engine.docker(["import", "--change", 'CMD ["bash"]', archive, tag]);
    return tag;
  });
}

async function bootstrap(archive: string): Promise<void> {
  mkdirSync(join(cacheFolder(), "images"), { recursive: true });
  const root = mkdtempSync(join(cacheFolder(), "images", "debootstrap-"));
  try {
    await run(findCommand("debootstrap")!, ["--variant=minbase", suite, root]);
    const part = `${archive}.part`;
    // Package archives and lists are no part of an image; device files are made by the engine.
    await run("tar", [
      "--create",
      "--file",
      part,
      "--numeric-owner",
      "--directory",
      root,
      "--exclude=./dev/*",
      "--exclude=./var/cache/apt/archives/*.deb",
      "--exclude=./var/lib/apt/lists/*",
      ".",
    ]);
    renameSync(part, archive);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
