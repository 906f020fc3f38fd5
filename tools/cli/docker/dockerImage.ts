import { containers, kazooPorts } from "../../../components/names";
import type { DockerCluster, ImageBuild, Platform, Zone } from "../../../config/platform";

/** A stack's datacenter on plain Docker. */
export interface DockerPlace {
  readonly cluster: DockerCluster;
  readonly zone: Zone;
}

/** A stack's datacenters on Docker. */
export function dockerPlaces(platform: Platform): DockerPlace[] {
  return platform.zones
    .map((zone) => ({ zone, cluster: platform.clusters[zone.cluster] }))
    .filter((place): place is DockerPlace => place.cluster?.kind === "docker");
}

/** A stack's first datacenter on Docker; undefined if it has none. */
export const dockerPlace = (platform: Platform): DockerPlace | undefined => dockerPlaces(platform)[0];

/** All names of a built image, `registry/repository:tag`, starting with the one it is built as. */
export function imageNames({ registry, repository, tags }: ImageBuild): string[] {
  const fullName = registry === undefined ? repository : `${registry.address}/${repository}`;
  return tags.map((tag) => `${fullName}:${tag}`);
}

/** Arguments of `docker build`: the same build arguments, tags and context as in the stack's build. */
export function buildArguments(build: ImageBuild, more: readonly string[]): string[] {
  return [
    "build",
    ...Object.entries(build.args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    ...imageNames(build).flatMap((name) => ["--tag", name]),
    ...(build.platform === undefined ? [] : ["--platform", build.platform]),
    ...(build.network === undefined ? [] : ["--network", build.network]),
    ...more,
    build.context,
  ];
}

/**
 * Arguments of `docker run` for one Kazoo on Docker's default network, with the stack's restrictions. The client takes the values of
 * variables from its environment, so that none is on a command line.
 * @param variables names of the container's variables
 */
export function launchArguments({ cluster }: DockerPlace, image: string, variables: readonly string[]): string[] {
  const { address, crossbar, websockets } = cluster.published;
  const own = "uid=1000,gid=1000,mode=0700";
  // An IPv6 address contains colons.
  const at = address.includes(":") ? `[${address}]` : address;
  return [
    ...["run", "--detach", "--name", containers.kazoo, "--hostname", `${containers.kazoo}.${cluster.network}`],
    ...[
      "--publish",
      `${at}:${crossbar}:${kazooPorts.crossbar}`,
      "--publish",
      `${at}:${websockets}:${kazooPorts.websockets}`,
    ],
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    ...["--tmpfs", "/tmp", "--tmpfs", `/opt/kazoo/etc:${own}`, "--tmpfs", `/opt/kazoo/log:${own}`],
    ...variables.flatMap((name) => ["--env", name]),
    image,
  ];
}
