import { randomBytes } from "node:crypto";
import { Command } from "commander";
import { containers, datacenterTypes, imageResource } from "../../../components/names";
import { topologyVariables, variables } from "../../../config/environment";
import type { ImageBuild } from "../../../config/platform";
import { runDocker } from "../dockerClient";
import { type DockerPlace, buildArguments, dockerPlace, imageNames, launchArguments } from "../dockerImage";
import { projectDirectory, readPlatform } from "../openStack";
import { UserError, isTerminal } from "../../shared/terminal";
import { up } from "./lifecycle";

interface Options {
  readonly stack: string;
}

/** `kazoo docker …`: the Kazoo image and containers of a stack on plain Docker. */
export function dockerCommands(): Command {
  const group = new Command("docker").description("the Kazoo image, and the containers of a stack on plain Docker");
  const add = (name: string, description: string, action: (stack: string, args: string[]) => Promise<void>): void => {
    group
      .command(name)
      .description(description)
      .option("-s, --stack <name>", "which Pulumi.<name>.yaml", "docker")
      .argument("[arguments...]", "after --: handed on as they are")
      .action((args: string[], { stack }: Options) => action(stack, args));
  };

  add("build", "build the Kazoo image as the stack would", (stack, args) => build(stack, args));
  add("rebuild", "build it without Docker's cache", (stack, args) => build(stack, ["--no-cache", ...args]));
  add("tag", "give the built image all its names of the stack, and those named", tag);
  add("push", "push the built image under all its names, with the login of `docker login`", push);
  add("rmi", "remove the image from the engine", async (stack, args) => {
    const { image, host } = imageOf(stack);
    await docker(host, ["rmi", ...args, ...(image.kind === "build" ? imageNames(image) : [image.reference])]);
  });
  add("run", "open a shell in a new container of the image", async (stack, args) => {
    const { host, name } = imageOf(stack);
    // A shell wants a terminal; where there is none, as in a pipe, it gets its input alone.
    await docker(host, ["run", "--rm", "--interactive", ...(isTerminal() ? ["--tty"] : []), ...args, name, "bash"]);
  });
  add("launch", "run Kazoo alone, on Docker's default network", launch);
  add("launch-net", "bring the stack up: Kazoo, brokers and database on a network of their own", (stack, args) =>
    stackUp(stack, args),
  );
  add("create-network", "make the stack's network alone", (stack, args) =>
    // With what it is part of and made by.
    stackUp(stack, [
      ...targets("$docker:index/network:Network", `::${datacenterTypes.docker}`, "::pulumi:providers:docker"),
      ...args,
    ]),
  );
  add("launch-deps", "bring up the stack's brokers and database alone", (stack, args) => {
    const { zone } = placeOf(stack);
    return stackUp(stack, ["--exclude", `**::${zone.name}-kazoo*`, "--exclude", `**::${imageResource}*`, ...args]);
  });
  add("kill-deps", "end the stack's brokers and database at once; their data stays", (stack, args) =>
    docker(placeOf(stack).cluster.host, ["kill", ...args, containers.alpha, containers.beta, containers.database]),
  );

  const container = (name: string, description: string, run: (args: string[]) => string[]): void =>
    add(name, description, (stack, args) => docker(placeOf(stack).cluster.host, run(args)));
  container("start", "start Kazoo's container again", (args) => ["start", ...args, containers.kazoo]);
  container("stop", "stop Kazoo in order", (args) => ["stop", ...args, containers.kazoo]);
  container("kill", "end Kazoo at once", (args) => ["kill", ...args, containers.kazoo]);
  container("rm", "remove Kazoo's container", (args) => ["rm", "--force", ...args, containers.kazoo]);
  return group;
}

/** Arguments that bring up resources of the given types alone, each with what stands before it in an URN. */
const targets = (...types: string[]): string[] => types.flatMap((type) => ["--target", `**${type}::**`]);

/** Looks first: a container may have been stopped or removed by hand, or by the commands here. */
async function stackUp(stack: string, args: readonly string[]): Promise<void> {
  placeOf(stack);
  process.exitCode = await up({ stack }, ["--refresh", ...args]);
}

function placeOf(stack: string): DockerPlace {
  const place = dockerPlace(readPlatform(stack));
  if (place !== undefined) return place;
  throw new UserError(`stack ${stack} has no datacenter on Docker`, "choose one that has, e.g. STACK=docker");
}

/** The stack's image, the engine that has it, and a name that Docker knows it by. */
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
    `stack ${stack} runs an image that is built elsewhere, ${image.reference}`,
    `to build it here, set kazoo:image: { build: { repository: kazoo } } in Pulumi.${stack}.yaml`,
  );
}

async function build(stack: string, args: readonly string[]): Promise<void> {
  const image = builtImage(stack);
  process.chdir(projectDirectory);
  await docker(image.host, buildArguments(image, args));
}

async function tag(stack: string, names: readonly string[]): Promise<void> {
  const image = builtImage(stack);
  const [source = image.repository, ...others] = imageNames(image);
  const targets = [...others, ...names];
  if (targets.length === 0) {
    throw new UserError(`the image has one name only, ${source}`, "name another: make tag NAME=registry/kazoo:4.3");
  }
  for (const target of targets) await docker(image.host, ["tag", source, target]);
}

async function push(stack: string, args: readonly string[]): Promise<void> {
  const image = builtImage(stack);
  if (image.registry === undefined) {
    throw new UserError(
      `stack ${stack} has no registry to push to`,
      `set kazoo:image.build.registry in Pulumi.${stack}.yaml`,
    );
  }
  for (const name of imageNames(image)) await docker(image.host, ["push", ...args, name]);
}

/** Variables of the image that are not the operator's config, taken from the caller's environment too. */
const more = ["RABBITMQ_USER", "RABBITMQ_PASS", "COUCHDB_USER", "COUCHDB_PASS", "ERLANG_HOSTNAME", "ERLANG_COOKIE"];

async function launch(stack: string, args: readonly string[]): Promise<void> {
  const place = placeOf(stack);
  const { name } = imageOf(stack);
  const chosen = [...Object.keys(variables), ...topologyVariables, ...more];
  const environment = {
    ...place.zone.environment,
    // Alone, it need not agree with any other node's.
    ERLANG_COOKIE: randomBytes(32).toString("hex"),
    ...Object.fromEntries(chosen.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : []))),
  };
  const [command, ...rest] = launchArguments(place, name, Object.keys(environment).sort());
  await docker(place.cluster.host, [command ?? "run", ...args, ...rest], environment);
}

/** Runs the Docker client; its exit code becomes ours. */
async function docker(host: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<void> {
  const code = await runDocker(host, args, undefined, environment);
  if (code !== 0) throw new UserError(`docker ${args[0]} ended with exit code ${code}`, undefined, code);
}
