import { join } from "node:path";
import { baseImage } from "./baseImage";
import type { Outcome } from "./commands";
import type { Engine } from "./engine";
import { erlang, erlangImage } from "./erlangImage";
import type { KazooSources } from "./kazooSources";
import { node, nodeImage } from "./nodeImage";

/** The image's build context in the working tree. */
export const context = join(__dirname, "../../../image");

/**
 * Build arguments that make the image of what a closed network has: the tests' base images and the stand-in's sources.
 * Makes the base images if the engine lacks them.
 */
export async function closedNetworkArgs(engine: Engine, sources: KazooSources): Promise<Record<string, string>> {
  await erlangImage(engine);
  await nodeImage(engine);
  return {
    ERLANG_IMAGE: erlang.image,
    ERLANG_VERSION: erlang.version,
    NODE_IMAGE: node.image,
    NODE_VERSION: node.version,
    RUNTIME_IMAGE: await baseImage(engine),
    KAZOO_BUILD_PACKAGES: "git make",
    ...sources.args,
  };
}

/** How to build. */
export interface BuildOptions {
  readonly tag?: string;
  readonly target?: string;
  readonly noCache?: boolean;
}

/** Builds the image, or one stage of it, whatever comes of it. */
export async function tryBuild(
  engine: Engine,
  args: Readonly<Record<string, string>>,
  options: BuildOptions = {},
): Promise<Outcome> {
  return await engine.tryDocker([
    "build",
    "--network=host",
    ...Object.entries(args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    ...(options.tag === undefined ? [] : ["--tag", options.tag]),
    ...(options.target === undefined ? [] : ["--target", options.target]),
    ...(options.noCache === true ? ["--no-cache"] : []),
    context,
  ]);
}

/**
 * The Kazoo image made of the stand-in: the real Dockerfile and entrypoint, with a small Erlang release in Kazoo's place.
 * @returns its tag, kazoo-test/kazoo:VERSION
 */
export async function kazooImage(engine: Engine, sources: KazooSources, version = "4.3"): Promise<string> {
  const tag = `kazoo-test/kazoo:${version}`;
  const args = { ...(await closedNetworkArgs(engine, sources)), KAZOO_VERSION: version, MONSTER_UI_VERSION: version };
  const { code, stdout, stderr } = await tryBuild(engine, args, { tag });
  if (code !== 0)
    throw new Error(`the Kazoo image was not built:\n${`${stdout}\n${stderr}`.split("\n").slice(-40).join("\n")}`);
  return tag;
}
