import { dockerHub, fullName, partsOf } from "../../../config/images";
import { type Platform, builtReference } from "../../../config/platform";
import { edited } from "./stackEdit";

/** Another place of images: a registry, or a part of one. */
export interface ImageMove {
  /** `registry.example.com` or `registry.example.com/mirror`; `docker.io` is Docker Hub. */
  readonly from: string;
  readonly to: string;
}

/** The images that pods or containers of a stack run, in an order that only depends on its rings; an image that an update builds is missing. */
export function runImages({ image, rings }: Platform): string[] {
  const kazoo =
    image.kind === "prebuilt"
      ? [image.reference]
      : image.registry === undefined || image.digest === undefined
        ? []
        : [builtReference(image, image.digest)];
  return [
    ...Object.values(rings).flatMap(({ images: { rabbitmq, database, curl } }) => [rabbitmq, database, curl]),
    ...kazoo,
  ];
}

/** The images that have other names in a changed config of the same stack, each once. */
export function movedImages(before: Platform, after: Platform): { readonly from: string; readonly to: string }[] {
  const names = runImages(after);
  const pairs = new Map(runImages(before).map((from, index) => [from, names[index] ?? from]));
  return [...pairs].flatMap(([from, to]) => (from === to ? [] : [{ from, to }]));
}

/** A name at another place; undefined if it is not below the first one, or at the other one already, which may lie below the first. */
const nameIn = ({ from, to }: ImageMove, name: string): string | undefined => {
  const isAt = (place: string) => name === place || name.startsWith(`${place}/`);
  return isAt(from) && !(to.startsWith(`${from}/`) && isAt(to)) ? `${to}${name.slice(from.length)}` : undefined;
};

/** Whether a stack has an image, or builds one, below a place. */
export const isBelow = (platform: Platform, place: string): boolean =>
  [...runImages(platform), ...builds(platform)].some((image) => fullName(image).startsWith(`${place}/`));

/** The image that a stack builds and pushes, without tag and digest. */
export const builds = ({ image }: Platform): string[] =>
  image.kind === "build" && image.registry !== undefined ? [`${image.registry.address}/${image.repository}`] : [];

/** A stack's file whose images come from another place. */
export const withMove = (text: string, move: ImageMove): string =>
  edited(text, (document) => {
    const given = (...path: string[]): string | undefined => {
      const value: unknown = document.getIn(["config", ...path]);
      return typeof value === "string" ? value : undefined;
    };
    const set = (value: string, ...path: string[]) => document.setIn(["config", ...path], value);

    // Without a mirror, images come from Docker Hub.
    const mirror = nameIn(move, given("kazoo:imageMirror") ?? dockerHub);
    if (mirror === dockerHub) document.deleteIn(["config", "kazoo:imageMirror"]);
    else if (mirror !== undefined) set(mirror, "kazoo:imageMirror");

    const prebuilt = given("kazoo:image", "prebuilt");
    const kazoo = prebuilt === undefined ? undefined : nameIn(move, fullName(prebuilt));
    if (kazoo !== undefined) set(kazoo, "kazoo:image", "prebuilt");

    for (const key of ["rabbitmq", "database", "curl"]) {
      const image = given("kazoo:images", key);
      // Those of Docker Hub follow the mirror.
      if (image === undefined || partsOf(image).registry === dockerHub) continue;
      const moved = nameIn(move, image);
      if (moved !== undefined) set(moved, "kazoo:images", key);
    }

    const build = ["kazoo:image", "build"];
    const [registry, repository] = [given(...build, "registry"), given(...build, "repository")];
    const built = registry === undefined ? undefined : nameIn(move, `${registry}/${repository}`);
    if (built === undefined) return;
    const slash = built.indexOf("/");
    set(built.slice(0, slash), ...build, "registry");
    if (built.slice(slash + 1) !== repository) set(built.slice(slash + 1), ...build, "repository");
  });
