import { randomBytes } from "node:crypto";
import { containers, datacenterTypes, imageResource } from "../../../components/names";
import { topologyVariables, variables } from "../../../config/schema/environment";
import type { ImageBuild } from "../../../config/platform";
import { runDocker } from "../docker/dockerClient";
import { type DockerPlace, buildArguments, dockerPlace, imageNames, launchArguments } from "../docker/dockerImage";
import { projectDirectory, readPlatform } from "../stack/openStack";
import { UserError, isTerminal } from "../../shared/terminal";
import { up } from "../run/oneStack";

// The commands on the image and on the containers of a stack on plain Docker. Each gets the stack's name and the arguments for docker.

/** Builds the image without Docker's cache. */
export const rebuild = (stack: string, args: string[]): Promise<void> => build(stack, ["--no-cache", ...args]);

/** Removes the image from the engine. */
export async function removeImage(stack: string, args: string[]): Promise<void> {
  const { image, host } = imageOf(stack);
  await docker(host, ["rmi", ...args, ...(image.kind === "build" ? imageNames(image) : [image.reference])]);
}

/** Opens a shell in a new container, on a terminal if there is one. */
export async function shellInImage(stack: string, args: string[]): Promise<void> {
  const { host, name } = imageOf(stack);
  await docker(host, ["run", "--rm", "--interactive", ...(isTerminal() ? ["--tty"] : []), ...args, name, "bash"]);
}

/** Deploys the stack, after a refresh: a container may have been stopped or removed by hand, or by the commands here. */
export async function launchStack(stack: string, args: string[]): Promise<void> {
  placeOf(stack);
  await up({ stack }, ["--refresh", ...args]);
}

/** Creates the stack's network, with the component and the provider that it needs. */
export const createNetwork = (stack: string, args: string[]): Promise<void> =>
  launchStack(stack, [
    ...targets("$docker:index/network:Network", `::${datacenterTypes.docker}`, "::pulumi:providers:docker"),
    ...args,
  ]);

/** Starts brokers and database. */
export const launchStores = (stack: string, args: string[]): Promise<void> =>
  launchStack(stack, [
    ...["--exclude", `**::${placeOf(stack).zone.name}-kazoo*`, "--exclude", `**::${imageResource}*`],
    ...args,
  ]);

/** Kills brokers and database. */
export const killStores = (stack: string, args: string[]): Promise<void> =>
  docker(placeOf(stack).cluster.host, ["kill", ...args, containers.alpha, containers.beta, containers.database]);

/** Runs a docker command on Kazoo's container. */
export const onKazoo =
  (...command: string[]) =>
  (stack: string, args: string[]): Promise<void> =>
    docker(placeOf(stack).cluster.host, [...command, ...args, containers.kazoo]);

/** Arguments that limit an update to resources of the given types, each as it appears in a URN. */
const targets = (...types: string[]): string[] => types.flatMap((type) => ["--target", `**${type}::**`]);

function placeOf(stack: string): DockerPlace {
  const place = dockerPlace(readPlatform(stack));
  if (place !== undefined) return place;
  throw new UserError(`stack ${stack} has no datacenter on Docker`, "choose a stack that has one, e.g. STACK=docker");
}

/** The stack's image, the engine that has it, and its name there. */
function imageOf(stack: string) {
  const platform = readPlatform(stack);
  const { image } = platform;
  if (image.kind === "build") return { image, host: image.host, name: imageNames(image)[0] ?? image.repository };
  return { image, host: placeOf(stack).cluster.host, name: image.reference };
}

function builtImage(stack: string): ImageBuild {
  const { image } = readPlatform(stack);
  if (image.kind === "build") return image;
  throw new UserError(
    `stack ${stack} does not build its image, ${image.reference}`,
    `to build it here, set kazoo:image: { build: { repository: kazoo } } in Pulumi.${stack}.yaml`,
  );
}

/** Builds the image as the stack would. */
export async function build(stack: string, args: readonly string[]): Promise<void> {
  const image = builtImage(stack);
  process.chdir(projectDirectory);
  await docker(image.host, buildArguments(image, args));
}

/** Tags the built image with all its names in the stack, and with the given ones. */
export async function tag(stack: string, names: readonly string[]): Promise<void> {
  const image = builtImage(stack);
  const [source = image.repository, ...others] = imageNames(image);
  const targets = [...others, ...names];
  if (targets.length === 0) {
    throw new UserError(`the image has only one name, ${source}`, "give another: make tag NAME=registry/kazoo:4.3");
  }
  for (const target of targets) await docker(image.host, ["tag", source, target]);
}

/** Pushes the built image under all its names. */
export async function push(stack: string, args: readonly string[]): Promise<void> {
  const image = builtImage(stack);
  if (image.registry === undefined) {
    throw new UserError(
      `stack ${stack} has no registry to push to`,
      `set kazoo:image.build.registry in Pulumi.${stack}.yaml`,
    );
  }
  for (const name of imageNames(image)) await docker(image.host, ["push", ...args, name]);
}

/** More variables of the image that can come from the caller's environment. */
const more = ["RABBITMQ_USER", "RABBITMQ_PASS", "COUCHDB_USER", "COUCHDB_PASS", "ERLANG_HOSTNAME", "ERLANG_COOKIE"];

/** Runs Kazoo alone, on Docker's default network. */
export async function launch(stack: string, args: readonly string[]): Promise<void> {
  const place = placeOf(stack);
  const { name } = imageOf(stack);
  const chosen = [...Object.keys(variables), ...topologyVariables, ...more];
  const environment = {
    ...place.zone.environment,
    // A single node shares its cookie with no other.
    ERLANG_COOKIE: randomBytes(32).toString("hex"),
    ...Object.fromEntries(chosen.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : []))),
  };
  const [command, ...rest] = launchArguments(place, name, Object.keys(environment).sort());
  await docker(place.cluster.host, [command ?? "run", ...args, ...rest], environment);
}

/** Runs the Docker client; its exit code becomes this command's. */
async function docker(host: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<void> {
  const code = await runDocker(host, args, undefined, environment);
  if (code !== 0) throw new UserError(`docker ${args[0]} ended with exit code ${code}`, undefined, code);
}
