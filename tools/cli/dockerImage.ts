import { containers, kazooPorts } from "../../components/names";
import type { DockerCluster, ImageBuild, Platform, Zone } from "../../config/platform";

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

/** Where a stack has its (first) datacenter on Docker; undefined where it has none. */
export const dockerPlace = (platform: Platform): DockerPlace | undefined => dockerPlaces(platform)[0];

/** All names of a built image, `registry/repository:tag`, the one it is built under first. */
export function imageNames({ registry, repository, tags }: ImageBuild): string[] {
  const fullName = registry === undefined ? repository : `${registry.address}/${repository}`;
  return tags.map((tag) => `${fullName}:${tag}`);
}

/** What `docker build` is told: the same arguments, tags and context as the stack's own build has. */
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
 * What `docker run` is told to start one Kazoo on Docker's default network: as restricted as in the stack. Values of variables are taken
 * from the client's environment, so that none stands on a command line.
 * @param variables names of the variables that the container gets
 */
export function launchArguments({ cluster }: DockerPlace, image: string, variables: readonly string[]): string[] {
  const { address, crossbar, websockets } = cluster.published;
  const own = "uid=1000,gid=1000,mode=0700";
  // An IPv6 address has colons of its own.
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
