import type { Platform } from "./platform";
import { problem, type Problem } from "./problem";
import type { Config } from "./schema";

/** What must hold between the keys that say where the Kazoo image comes from, and the clusters that run it. Returns all problems. */
export function imageProblems(config: Config, platform: Platform): Problem[] {
  return [...source(config), ...login(config), ...registry(config, platform)];
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
