import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cacheFolder } from "./commands";
import type { Engine } from "./engine";
import { withLock } from "./lock";

/** An image made of a few files, for tests. */
export interface Recipe {
  readonly tag: string;
  readonly dockerfile: string;
  /** Contents by path in the context; all are executable. */
  readonly files?: Readonly<Record<string, string>>;
  /** A folder that goes into the context as `folder/`, made only if the image must be built. */
  readonly folder?: { readonly make: () => Promise<string>; /** Changes when its contents do. */ readonly key: string };
}

const recipeLabel = "kazoo-test.recipe";

/**
 * Builds an image of the tests unless the engine has it, made by the same recipe on the same base.
 * @returns its tag
 */
export async function ensureImage(engine: Engine, { tag, dockerfile, files = {}, folder }: Recipe): Promise<string> {
  const base = /^FROM (\S+)/m.exec(dockerfile)![1]!;
  const baseId = (await engine.docker(["image", "inspect", "--format", "{{.Id}}", base])).trim();
  const recipe = createHash("sha256")
    .update(JSON.stringify([baseId, dockerfile, files, folder?.key]))
    .digest("hex");
  return await withLock(join(cacheFolder(), "locks", tag.replace(/\W/g, "-")), async () => {
    const present = await engine.tryDocker([
      "image",
      "inspect",
      "--format",
      `{{index .Config.Labels "${recipeLabel}"}}`,
      tag,
    ]);
    if (present.code === 0 && present.stdout.trim() === recipe) return tag;
    const context = mkdtempSync(join(tmpdir(), "kazoo-image-"));
    try {
      for (const [path, contents] of Object.entries({ Dockerfile: dockerfile, ...files })) {
        mkdirSync(dirname(join(context, path)), { recursive: true });
        writeFileSync(join(context, path), contents, { mode: 0o755 });
      }
      if (folder !== undefined) {
        const made = await folder.make();
        cpSync(made, join(context, "folder"), { recursive: true, verbatimSymlinks: true });
        rmSync(made, { recursive: true, force: true });
      }
      await engine.docker(["build", "--network", "host", "--label", `${recipeLabel}=${recipe}`, "--tag", tag, context]);
    } finally {
      rmSync(context, { recursive: true, force: true });
    }
    return tag;
  });
}
