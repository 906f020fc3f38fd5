import type * as pulumi from "@pulumi/pulumi";
import { builtReference, type Platform } from "../config/platform";
import { dockerProvider } from "./clusters";
import type { ImageReference } from "./datacenter";
import { KazooImage } from "./kazooImage";
import { imageResource } from "./names";

/**
 * The Kazoo image of a stack: an existing one, one that is built and pushed, or one that was built earlier and is pinned by digest.
 * @param built its reference, if another stack builds it
 */
export function kazooImage(
  { image, registries }: Pick<Platform, "image" | "registries">,
  built?: () => pulumi.Output<string>,
): ImageReference {
  if (image.kind === "prebuilt") return { reference: image.reference, built: false };
  const { registry, ...build } = image;
  const { address, login } = registry ?? {};
  const pull = login === undefined || address === undefined ? {} : { login: { address, ...login } };
  if (image.digest !== undefined) return { reference: builtReference(image, image.digest), built: true, ...pull };
  if (built !== undefined) return { reference: built(), built: true, ...pull };
  const { reference } = new KazooImage(
    imageResource,
    { ...build, ...(address === undefined ? {} : { registry: address }) },
    { provider: dockerProvider("image-builder", image.host, registry, registries.logins) },
  );
  return { reference, built: true, ...pull };
}
