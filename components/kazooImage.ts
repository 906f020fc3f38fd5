import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { ImageBuild } from "../config/platform";
import { buildHash, buildProblems } from "./buildContext";

export interface KazooImageArgs {
  /** What to build, and where to push it. */
  readonly build: ImageBuild;
}

/**
 * The Kazoo image, built by a Docker Engine and pushed under each of its tags. It is built again when a file of the context or an argument
 * changes, and at no other time. What was pushed or built before stays, for the pods and containers that still run it.
 */
export class KazooImage extends pulumi.ComponentResource {
  /** `registry/repository@sha256:…` by the pushed digest; without a registry the image's id in the engine. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: KazooImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:KazooImage", name, {}, opts);
    // The provider asks for deletion first, since names are fixed. Nothing is deleted here, and what depends on a resource that is deleted
    // first is replaced itself: Kazoo's pods would all go at once.
    const parent = { parent: this, deleteBeforeReplace: false };
    const { registry, repository, tags, platform, network, context, args: buildArgs } = args.build;
    const problems = buildProblems(context, buildArgs);
    if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));

    const fullName = registry === undefined ? repository : `${registry.address}/${repository}`;
    const [first = "latest", ...others] = tags;
    const image = new docker.RemoteImage(
      `${name}-build`,
      {
        name: `${fullName}:${first}`,
        build: {
          // As it stands in the config: an absolute path would be another one in each clone.
          context,
          buildArgs,
          tags: others.map((tag) => `${fullName}:${tag}`),
          ...(platform === undefined ? {} : { platform }),
          ...(network === undefined ? {} : { networkMode: network }),
          // Through the engine's own API. The other way, the provider's buildx, builds on whatever engine Docker's current context names.
          useLegacyBuilder: true,
        },
        triggers: { build: buildHash(context, buildArgs) },
        // By name, which the image that takes this one's place has as well.
        keepLocally: true,
      },
      // Kazoo and Erlang's libraries are compiled: an hour on a small machine.
      { ...parent, customTimeouts: { create: "2h" } },
    );
    // One after the other: they push the same layers, and a registry may mix up uploads that meet.
    const pushes: docker.RegistryImage[] = [];
    for (const tag of registry === undefined ? [] : tags) {
      pushes.push(
        new docker.RegistryImage(
          // The provider's errors do not name the registry, so that the resource's name must.
          `${name}-push-${fullName}:${tag}`,
          { name: `${fullName}:${tag}`, triggers: { image: image.imageId }, keepRemotely: true },
          { ...parent, dependsOn: pushes },
        ),
      );
    }
    this.reference =
      registry === undefined
        ? image.imageId
        : pulumi.all(pushes.map((push) => push.sha256Digest)).apply(([digest]) => `${fullName}@${digest}`);
    this.registerOutputs({ reference: this.reference });
  }
}
