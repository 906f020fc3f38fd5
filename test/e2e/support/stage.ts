import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Report } from "../../../tools/shared/terminal";
import { sandboxParts } from "../../../tools/sandbox";
import { ensureToolchain, pulumiParts } from "../../../tools/toolchain";
import { type TestPrograms, testPrograms } from "../../programs";
import { type Clone, cloneProject, type Run } from "../../support/clone";
import { findCommand, run } from "../../image/support/commands";
import { couchdbImage } from "../../image/support/couchdbImage";
import { acquireEngine, noEngine, type Engine } from "../../image/support/engine";
import { ensureImage } from "../../image/support/images";
import { closedNetworkArgs } from "../../image/support/kazooImage";
import { serveKazooSources } from "../../image/support/kazooSources";
import { baseImage } from "../../image/support/baseImage";
import { rabbitmqImage } from "../../image/support/rabbitmqImage";
import { noRegistry, startRegistry } from "../../image/support/registry";
import { writeStackFile } from "../../image/support/stackFile";
import { type Cluster, clusterPrograms, startCluster } from "./cluster";
import { monitoringPrograms } from "./monitoring";
import { type RunFolder, endProcessesNaming, makeRunFolder, removeLeftovers, removeRun } from "./runFolder";

/** Debian packages, each with the program that it provides. */
const needed = {
  containerd: "containerd",
  runc: "runc",
  iptables: "iptables",
  iproute2: "ip",
  ipset: "ipset",
  "util-linux": "nsenter",
  git: "git",
} as const;

/** Why a real node cannot run here, in one line that says what to do; false if it can. */
export async function noStage(): Promise<string | false> {
  const packages = "apt-get install containerd runc containernetworking-plugins iptables iproute2 ipset";
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return `no real node: it needs root on Linux, and ${packages}`;
  const missing = Object.entries(needed).filter(([, command]) => findCommand(command) === undefined);
  const plugins = !existsSync("/usr/lib/cni/ptp") ? ["containernetworking-plugins"] : [];
  const names = [...missing.map(([name]) => name), ...plugins];
  if (names.length > 0) return `no real node: on Debian, \`apt-get install ${names.join(" ")}\``;
  return (await noEngine()) || noRegistry();
}

/** A cluster with a real node, the images, and the project with a stack for them. */
export interface Stage extends Cluster {
  readonly runFolder: RunFolder;
  readonly program: TestPrograms;
  /** The name by which the node pulls an image with curl. */
  readonly curlImage: string;
  /** The name of an image of the same RabbitMQ with another digest. */
  readonly otherRabbitmq: string;
  /** Writes the stack's file; `keys` are added to those for this cluster and its images. */
  readonly writeStack: (keys: Readonly<Record<string, unknown>>) => void;
  /** Runs `kazoo ARGS… --stack e2e`; with `when`, sends it the signal of Ctrl-C as soon as its output matches. */
  readonly kazoo: (args: readonly string[], when?: RegExp) => Promise<Run>;
}

export const stackName = "e2e";

/**
 * Sets everything up. If it is interrupted (Ctrl-C, SIGTERM) or a step fails, everything is torn down; leftovers of a killed run are removed at the
 * start.
 */
export async function setStage(report: Report): Promise<Stage> {
  await removeLeftovers();
  const runFolder = makeRunFolder();
  // Everything created from here on, by this process and its children, is in the run's folder.
  const temporary = process.env.TMPDIR;
  process.env.TMPDIR = join(runFolder.path, "tmp");
  mkdirSync(process.env.TMPDIR);
  const undo: (() => Promise<void>)[] = [];
  let ending: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (ending ??= (async () => {
      for (const step of undo.reverse())
        await step().catch((error: unknown) => report(`while ending: ${String(error)}`));
      await removeRun(runFolder);
      if (temporary === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = temporary;
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    })());
  const interrupt = (): void => {
    report("interrupted: ending the node");
    void stop().finally(() => process.exit(130));
  };
  // Replaces the test runner's handler, which exits before everything is torn down.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeAllListeners(signal).on(signal, interrupt);

  try {
    const toolchain = await ensureToolchain([...pulumiParts, ...sandboxParts], report);
    const program = await testPrograms([...clusterPrograms, ...monitoringPrograms], report);
    const engine = await acquireEngine();
    undo.push(() => engine.release());
    const sources = await serveKazooSources();
    undo.push(() => sources.stop());
    const registry = await startRegistry();
    undo.push(() => registry.remove());
    report("images");
    const version = "4.3";
    const buildArgs = {
      ...(await closedNetworkArgs(engine, sources)),
      KAZOO_VERSION: version,
      MONSTER_UI_VERSION: version,
    };
    const push = pushTo(engine, registry.address);
    // Side by side: an engine compresses an image on one processor.
    const pushed = async (image: (engine: Engine) => Promise<string>) => push(await image(engine));
    const [rabbitmq, database, pauseImage] = await Promise.all([
      pushed(rabbitmqImage),
      pushed(couchdbImage),
      pushed(pauseImageOf),
    ]);
    const images = { rabbitmq, database, curl: database };
    const otherRabbitmq = await push(await relabelled(engine, await rabbitmqImage(engine)));

    const registryPort = Number(registry.address.split(":")[1]);
    const cluster = await startCluster({ runFolder, toolchain, program, registryPort, pauseImage, volumes: 8, report });
    undo.push(() => cluster.stop());

    const clone: Clone = await cloneProject();
    // Commands that still run would keep calling an address that may belong to someone else once the node is gone.
    undo.push(() => endProcessesNaming(clone.directory));
    const environment = {
      PULUMI_BACKEND_URL: `file://${runFolder.path}/backend`,
      PULUMI_CONFIG_PASSPHRASE: "e2e",
    };
    mkdirSync(join(runFolder.path, "backend"));
    const writeStack: Stage["writeStack"] = (keys) =>
      writeStackFile(clone, stackName, {
        protect: false,
        image: {
          build: {
            registry: registry.address,
            repository: "kazoo",
            plainHttp: true,
            ...(engine.host === undefined ? {} : { docker: engine.host }),
            // The sources are served on loopback, and a private engine has no other network.
            network: "host",
            args: buildArgs,
          },
        },
        images,
        clusters: {
          node: {
            context: cluster.context,
            kubeconfig: cluster.kubeconfig,
            clusterDomain: cluster.clusterDomain,
          },
        },
        ...keys,
      });
    await run(toolchain.binary("pulumi"), ["stack", "init", stackName, "--no-select", "--non-interactive"], {
      cwd: clone.directory,
      env: { ...process.env, ...toolchain.env, ...environment },
    });
    const kazoo: Stage["kazoo"] = ([command = "", ...rest], when) => {
      const args = [command, "--stack", stackName, ...rest];
      return when === undefined ? clone.run(args, environment) : clone.interrupt(args, when, environment);
    };
    return { ...cluster, runFolder, program, curlImage: images.curl, otherRabbitmq, writeStack, kazoo, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Pushes an image from the engine to a registry and returns its name there. */
const pushTo = (engine: Engine, address: string) => async (image: string) => {
  const name = `${address}/${image}`;
  await engine.docker(["tag", image, name]);
  await engine.docker(["push", name]);
  await engine.docker(["rmi", name]);
  return name;
};

/** The same image with a label: another digest. */
const relabelled = (engine: Engine, image: string): Promise<string> =>
  ensureImage(engine, { tag: `${image}-labelled`, dockerfile: `FROM ${image}\nLABEL kazoo-test.labelled=yes\n` });

/** The pause container: a process that does nothing and holds a pod's network. */
async function pauseImageOf(engine: Engine): Promise<string> {
  const dockerfile = `FROM ${await baseImage(engine)}\nCMD ["sleep", "infinity"]\n`;
  return await ensureImage(engine, { tag: "kazoo-test/pause:1", dockerfile });
}
