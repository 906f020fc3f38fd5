import { fullName } from "../../../config/images";
import { type ImageBuild, type Platform, builtReference } from "../../../config/platform";
import { imageNames } from "./dockerImage";

/** An image that a stack pulls. */
export interface PulledImage {
  /** Its name in pods, containers or the build. */
  readonly image: string;
  /** The name that a mirror copies it from; without a mirror, its own name with its registry. */
  readonly source: string;
}

/**
 * The images that a stack pulls, by name: those of its pods or containers and, if it builds its Kazoo image, the base images.
 * @param dockerfile the text of the build's Dockerfile
 */
export function pulledImages(platform: Platform, dockerfile: (build: ImageBuild) => string): PulledImage[] {
  const { image, rings, zones, clusters, hubImages } = platform;
  const stores = Object.values(rings).flatMap(({ images }) => [images.rabbitmq, images.database]);
  const scripts = zones.flatMap((zone) =>
    clusters[zone.cluster]?.kind === "docker" ? [] : (rings[zone.ring]?.images.curl ?? []),
  );
  const base = image.kind === "build" && image.digest === undefined ? baseImages(dockerfile(image), image.args) : [];
  const kazoo = image.kind === "prebuilt" ? [image.reference] : pushed(image);
  return [...new Set([...stores, ...scripts, ...base, ...kazoo])]
    .sort()
    .map((name) => ({ image: name, source: hubImages[name] ?? fullName(name) }));
}

/** A built image's digest is known only if it is pinned; otherwise it has a tag. Without a registry, nothing pulls it. */
function pushed(build: ImageBuild): string[] {
  if (build.registry === undefined) return [];
  return build.digest === undefined ? imageNames(build).slice(0, 1) : [builtReference(build, build.digest)];
}

/** The images that a Dockerfile is built from, with the build's arguments in place of the Dockerfile's defaults. */
export function baseImages(dockerfile: string, args: Readonly<Record<string, string>>): string[] {
  const lines = dockerfile.replace(/\\\r?\n/g, " ").split(/\r?\n/);
  const first = lines.findIndex((line) => /^\s*FROM\s/i.test(line));
  // Only the arguments before the first stage count in FROM.
  const defaults = lines.slice(0, first).flatMap((line): [string, string][] => {
    const [, name, value = ""] = /^\s*ARG\s+(\w+)(?:=(.*))?$/i.exec(line) ?? [];
    return name === undefined ? [] : [[name, args[name] ?? value.trim().replace(/^(["'])(.*)\1$/, "$2")]];
  });
  const values = Object.fromEntries(defaults);
  const stages = new Set<string>(["scratch"]);
  return lines.flatMap((line) => {
    const [, from, stage] = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line) ?? [];
    if (from === undefined) return [];
    const image = from.replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (_, braced?: string, bare?: string) => values[braced ?? bare ?? ""] ?? "",
    );
    const isStage = stages.has(image.toLowerCase());
    if (stage !== undefined) stages.add(stage.toLowerCase());
    return isStage ? [] : [image];
  });
}
