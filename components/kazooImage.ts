import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { buildHash, buildProblems } from "./buildContext";

/** What to build, and where to push it. */
export interface KazooImageArgs {
  /** Path of the build context with the Dockerfile. Relative, so that it is the same in each clone. */
  readonly context: string;
  /** Registry to push to, `host` or `host:port`. @default the image stays in the engine */
  readonly registry?: string;
  readonly repository: string;
  /** At least one tag. */
  readonly tags: readonly string[];
  /** The Dockerfile's arguments. @default those of the Dockerfile */
  readonly args?: Readonly<Record<string, string>>;
  /** OS/ARCHITECTURE. @default the engine's */
  readonly platform?: string;
  /** Docker network of the build's steps, or `host`. @default the engine's */
  readonly network?: string;
}

/**
 * The Kazoo image, built by a Docker Engine and pushed under each of its tags. It is rebuilt only when a file of the context or an
 * argument changes. Earlier images are kept, for the pods and containers that still run them.
 * @example
 * const image = new KazooImage(
 *   "kazoo-image",
 *   { context: "image", registry: "registry.example.com", repository: "kazoo", tags: ["4.3"] },
 *   { provider: new docker.Provider("engine", { registryAuth }) },
 * );
 */
export class KazooImage extends pulumi.ComponentResource {
  /** `registry/repository@sha256:…` by the pushed digest; without a registry the image's id in the engine. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: KazooImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:KazooImage", name, {}, opts);
    // The provider deletes first by default, because names are fixed. But nothing is deleted here, and dependents of a resource that is
    // deleted first are replaced too: all of Kazoo's pods would stop at once.
    const parent = { parent: this, deleteBeforeReplace: false };
    const { registry, repository, tags, platform, network, context, args: buildArgs = {} } = args;
    const problems = buildProblems(context, buildArgs);
    if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));

    const fullName = registry === undefined ? repository : `${registry}/${repository}`;
    const [first = "latest", ...others] = tags;
    const image = new docker.RemoteImage(
      `${name}-build`,
      {
        name: `${fullName}:${first}`,
        build: {
          context,
          buildArgs,
          tags: others.map((tag) => `${fullName}:${tag}`),
          ...(platform === undefined ? {} : { platform }),
          ...(network === undefined ? {} : { networkMode: network }),
          // Through the engine's own API: the provider's buildx would build on the engine of Docker's current context.
          useLegacyBuilder: true,
        },
        triggers: { build: buildHash(context, buildArgs) },
        // Deletion is by name, which the next image shares.
        keepLocally: true,
      },
      // Compiling Kazoo takes up to an hour on a small machine.
      { ...parent, customTimeouts: { create: "2h" } },
    );
    // One after the other: they push the same layers, and a registry may confuse parallel uploads.
    const pushes: docker.RegistryImage[] = [];
    for (const tag of registry === undefined ? [] : tags) {
      pushes.push(
        new docker.RegistryImage(
          // The provider's errors do not name the registry, so the resource's name does.
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
