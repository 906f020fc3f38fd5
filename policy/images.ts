import { containersOf } from "./pods";
import { later, text } from "./resource";
import type { ResourceRule } from "./rule";

export const imageDigest: ResourceRule = {
  name: "image-digest",
  description: "Images are pinned by digest: a tag can become another image, even between two pods.",
  // The stores' official images are named by tag, unless kazoo:images sets others.
  level: "advisory",
  resource: (resource) =>
    containersOf(resource)
      .filter(({ image }) => image !== later && !isPinned(text(image)))
      .map(
        ({ name, image }) =>
          `container ${name}: image ${text(image) || "unnamed"}; expected a digest, for example ${withoutTag(text(image))}@sha256:…`,
      ),
};

/** A digest in a registry, or an image's id in a Docker Engine. */
const isPinned = (image: string): boolean => /(^|@)sha256:[0-9a-f]{64}$/.test(image);

const withoutTag = (image: string): string => image.replace(/:[\w.-]+$/, "");
