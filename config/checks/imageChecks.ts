import { versionOfSources } from "../compatibility";
import { fullName, seedImage } from "../images";
import type { Platform, Ring } from "../platform";
import { problem, type Problem } from "../problem";
import { type Given } from "../schema";
import { imageFolder } from "../schema/build";
import { defaultKazooVersion } from "../schema/ring";
import { looksSecret } from "../secrets";

/** Checks the keys of images against the versions of rings and the clusters that run them. Returns all problems. */
export function imageProblems(given: Given, platform: Platform): Problem[] {
  return [
    ...source(given),
    ...seed(given, platform),
    ...secretArguments(given),
    ...login(given),
    ...registry(given, platform),
    ...registryName(given),
    ...builtVersion(platform),
    ...sharedImage(given, platform, "rabbitmq", (ring) => ring.rabbitmq),
    ...sharedImage(given, platform, "database", (ring) => ring.database.version),
  ];
}

function source({ image }: Given): Problem[] {
  return image?.prebuilt !== undefined && image.build !== undefined
    ? [problem("kazoo:image.prebuilt", image.prebuilt, "either prebuilt or build, not both", "remove one of the two")]
    : [];
}

/** The seed's image, which runs as root and logs in to the brokers as guest: its pods would never become ready. */
function seed({ image: given }: Given, { image, clusters }: Platform): Problem[] {
  const real = Object.values(clusters).find(({ kind }) => kind === "kubernetes");
  const isSeed =
    image.kind === "prebuilt" &&
    /^docker\.io\/callforamerica\/kazoo([:@]|$)/.test(fullName(given?.prebuilt ?? seedImage));
  if (real === undefined || !isSeed || (given?.prebuilt !== undefined && given.build !== undefined)) return [];
  return [
    problem(
      given?.prebuilt === undefined ? "kazoo:image" : "kazoo:image.prebuilt",
      given?.prebuilt,
      `an image that the stack builds (build: …) or one built from ${imageFolder}/ before (prebuilt: …), since cluster ${real.name} admits no image that runs as root, as ${seedImage} does`,
      "kazoo:image: { build: { registry: registry.example.com, repository: kazoo } }",
    ),
  ];
}

function secretArguments({ image }: Given): Problem[] {
  return Object.entries(image?.build?.args ?? {})
    .filter(([name, value]) => looksSecret(name, value))
    .map(([name]) => ({
      key: `kazoo:image.build.args.${name}`,
      found: "[a value that looks secret]",
      expected: "no secret here, since build arguments end in the image",
      example: "a mirror that needs no login",
    }));
}

function login({ image, registryPassword }: Given): Problem[] {
  const username = image?.build?.username;
  if ((username === undefined) === (registryPassword === undefined)) return [];
  return [
    username === undefined
      ? problem(
          "kazoo:registryPassword",
          registryPassword,
          "no password without kazoo:image.build.username, which it belongs to",
          "kazoo:image: { build: { username: ci, … } }",
        )
      : problem(
          "kazoo:registryPassword",
          undefined,
          `the password of ${username} at the registry`,
          "pulumi config set --secret kazoo:registryPassword",
        ),
  ];
}

/** An image that is not pushed is only available to the engine that built it. */
function registry({ image }: Given, platform: Platform): Problem[] {
  const { build } = image ?? {};
  if (build === undefined || platform.image.kind !== "build" || build.registry !== undefined) return [];
  const { host } = platform.image;
  const useless = (["plainHttp", "username"] as const)
    .filter((key) => build[key] !== undefined)
    .map((key) =>
      problem(`kazoo:image.build.${key}`, build[key], "a registry next to it, to which it belongs", "remove it"),
    );
  const outOfReach = Object.values(platform.clusters)
    .filter((cluster) => cluster.kind !== "docker" || cluster.host !== host)
    .slice(0, 1)
    .map(({ name }) =>
      problem(
        "kazoo:image.build.registry",
        undefined,
        `a registry, since cluster ${name} has no other way to the image that ${host} builds`,
        "registry.example.com:5000",
      ),
    );
  return [...useless, ...outOfReach];
}

/**
 * A host that Docker does not take for one, although image.build.registry accepts it: the push would go to Docker Hub, under a name that the engine
 * does not have, and fail after the build. Capital letters make a host, too. An image that was built earlier is only pulled.
 */
function registryName({ image }: Given): Problem[] {
  const { registry, repository, digest } = image?.build ?? {};
  if (registry === undefined || digest !== undefined || /[.:A-Z]|^localhost$/.test(registry)) return [];
  return [
    problem(
      "kazoo:image.build.registry",
      registry,
      "a host with a dot or a port, or localhost, since Docker looks for any other name at Docker Hub",
      `docker.io, with repository: ${registry}/${repository}`,
    ),
  ];
}

/** All rings run the built image, so each must have its version, if the build names one. */
function builtVersion({ image, rings }: Platform): Problem[] {
  // A digest is that of an image built earlier, perhaps with other arguments.
  if (image.kind !== "build" || image.digest !== undefined) return [];
  const argument = image.args.KAZOO_VERSION ?? (image.context === imageFolder ? defaultKazooVersion : "");
  const version = versionOfSources(argument);
  if (version === undefined) return [];
  return Object.values(rings)
    .filter(({ kazoo }) => kazoo !== version)
    .map(({ name, kazoo }) =>
      problem(
        `kazoo:rings.${name}.kazoo`,
        kazoo,
        `the version that the image is built of, ${version} (KAZOO_VERSION ${argument}), since all rings run one image`,
        `"${version}"`,
      ),
    );
}

/** One image cannot have two versions. */
function sharedImage(
  { images }: Given,
  { rings }: Platform,
  key: "rabbitmq" | "database",
  version: (ring: Ring) => string,
): Problem[] {
  const [first, ...others] = Object.values(rings);
  const other = first && others.find((ring) => version(ring) !== version(first));
  return images?.[key] === undefined || first === undefined || other === undefined
    ? []
    : [
        problem(
          `kazoo:images.${key}`,
          images[key],
          `rings with the same version, because they all run this image; ${first.name} has ${version(first)} and ${other.name} ${version(other)}`,
          "remove it, or give one of the rings a stack of its own",
        ),
      ];
}
