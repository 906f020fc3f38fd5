import { versionOfSources } from "./compatibility";
import type { Platform, Ring } from "./platform";
import { problem, type Problem } from "./problem";
import { buildDefaults, type Config } from "./schema";

/** What must hold between the keys that say where images come from, the rings whose versions they are of and the clusters that run them. Returns all problems. */
export function imageProblems(config: Config, platform: Platform): Problem[] {
  return [
    ...source(config),
    ...login(config),
    ...registry(config, platform),
    ...builtVersion(platform),
    ...sharedImage(platform, "rabbitmq", (ring) => ring.rabbitmq),
    ...sharedImage(platform, "database", (ring) => ring.database.version),
  ];
}

function source({ image }: Config): Problem[] {
  return image?.prebuilt !== undefined && image.build !== undefined
    ? [problem("kazoo:image.prebuilt", image.prebuilt, "either prebuilt or build, not both", "remove one of the two")]
    : [];
}

function login({ image, registryPassword }: Config): Problem[] {
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

/** An image that is not pushed is there for the containers of the engine that built it, and for no one else. */
function registry({ image }: Config, platform: Platform): Problem[] {
  const { build } = image ?? {};
  if (build === undefined || platform.image.kind !== "build" || build.registry !== undefined) return [];
  const { host } = platform.image;
  const useless = (["plainHttp", "username"] as const)
    .filter((key) => build[key] !== undefined)
    .map((key) =>
      problem(`kazoo:image.build.${key}`, build[key], "a registry beside it, to which it belongs", "remove it"),
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

/** What a ring says of its Kazoo decides what goes with it: it must be the one that is built, as far as a build tells its version. */
function builtVersion({ image, rings }: Platform): Problem[] {
  // A digest is of an image that was built before, maybe with other arguments.
  if (image.kind !== "build" || image.digest !== undefined) return [];
  const given = image.args.KAZOO_VERSION;
  const built = given ?? (image.context === buildDefaults.context ? buildDefaults.kazooVersion : "");
  const version = versionOfSources(built);
  if (version === undefined) return [];
  return Object.values(rings)
    .filter(({ kazoo }) => kazoo !== version)
    .map(({ name, kazoo }) =>
      problem(
        `kazoo:rings.${name}.kazoo`,
        kazoo,
        `the version that the image is built of, ${version}, since kazoo:image.build.args.KAZOO_VERSION is ${built}${given === undefined ? " unless given" : ""}`,
        `"${version}"`,
      ),
    );
}

/** One image can't be of two versions. */
function sharedImage(
  { images, rings }: Platform,
  key: "rabbitmq" | "database",
  version: (ring: Ring) => string,
): Problem[] {
  const [first, ...others] = Object.values(rings);
  const other = first && others.find((ring) => version(ring) !== version(first));
  return images[key] === undefined || first === undefined || other === undefined
    ? []
    : [
        problem(
          `kazoo:images.${key}`,
          images[key],
          `rings of one version beside it, since they all run this image, but ${first.name} has ${version(first)} and ${other.name} ${version(other)}`,
          "remove it, or give one of the rings a stack of its own",
        ),
      ];
}
