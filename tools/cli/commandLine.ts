import { Argument, Command, Option } from "commander";
import type { Rotated } from "../../config/credentials";
import { allParts } from "../toolchain/parts";

/**
 * The commands and their help. The code of a command is loaded when it runs, with `require`: Node.js would pass an `import()` to its own
 * loader, which cannot read TypeScript.
 */
const code = {
  accounts: () => require("./commands/accounts") as typeof import("./commands/accounts"),
  add: () => require("./commands/add") as typeof import("./commands/add"),
  backup: () => require("./commands/backup") as typeof import("./commands/backup"),
  complete: () => require("./commands/complete") as typeof import("./commands/complete"),
  deploy: () => require("./commands/deploy") as typeof import("./commands/deploy"),
  doctor: () => require("./commands/doctor") as typeof import("./commands/doctor"),
  docker: () => require("./commands/docker") as typeof import("./commands/docker"),
  drain: () => require("./commands/drain") as typeof import("./commands/drain"),
  fleet: () => require("./run/fleet") as typeof import("./run/fleet"),
  env: () => require("./commands/env") as typeof import("./commands/env"),
  edit: () => require("./commands/edit") as typeof import("./commands/edit"),
  grow: () => require("./commands/grow") as typeof import("./commands/grow"),
  images: () => require("./commands/images") as typeof import("./commands/images"),
  init: () => require("./commands/init") as typeof import("./commands/init"),
  rename: () => require("./commands/rename") as typeof import("./commands/rename"),
  remove: () => require("./commands/remove") as typeof import("./commands/remove"),
  rebalance: () => require("./commands/rebalance") as typeof import("./commands/rebalance"),
  moveImages: () => require("./commands/moveImages") as typeof import("./commands/moveImages"),
  nodes: () => require("./cluster/nodes") as typeof import("./cluster/nodes"),
  operator: () => require("./commands/operator") as typeof import("./commands/operator"),
  logs: () => require("./commands/logs") as typeof import("./commands/logs"),
  render: () => require("./commands/render") as typeof import("./commands/render"),
  report: () => require("./commands/report") as typeof import("./commands/report"),
  rollback: () => require("./commands/rollback") as typeof import("./commands/rollback"),
  rotate: () => require("./commands/rotate") as typeof import("./commands/rotate"),
  scale: () => require("./commands/scale") as typeof import("./commands/scale"),
  split: () => require("./commands/split") as typeof import("./commands/split"),
  sandbox: () => require("./commands/sandbox") as typeof import("./commands/sandbox"),
  schema: () => require("./commands/schema") as typeof import("./commands/schema"),
  stacks: () => require("./commands/stacks") as typeof import("./commands/stacks"),
  status: () => require("./commands/status") as typeof import("./commands/status"),
  topology: () => require("./commands/topology") as typeof import("./commands/topology"),
  toolchain: () => require("./commands/toolchain") as typeof import("./commands/toolchain"),
  upgrade: () => require("./commands/upgrade") as typeof import("./commands/upgrade"),
  useContext: () => require("./commands/useContext") as typeof import("./commands/useContext"),
};

/** The program `kazoo` with all its commands. */
export const kazoo = (): Command => withoutCompletion().addCommand(completeCommand());

function withoutCompletion(): Command {
  const command = new Command("kazoo").description(
    "Kazoo on Kubernetes: deploy and operate stacks, with a local sandbox and toolchain",
  );
  const groups = [
    initCommand(),
    ...stackCommands(),
    ...reportCommands(),
    ...backupCommands(),
    statusCommand(),
    doctorCommand(),
    topologyCommand(),
    ...nodeCommands(),
    ...accountCommands(),
    ...deployCommands(),
    ...runbookCommands(),
    dockerCommands(),
    imagesCommand(),
    stacksCommand(),
    operatorCommand(),
    renderCommand(),
    schemaCommand(),
    sandboxCommand(),
    toolchainCommand(),
  ];
  groups.forEach((group) => command.addCommand(explaining(group, `kazoo ${group.name()}`)));
  return command.showHelpAfterError("(kazoo --help lists the commands)");
}

/** Wrong arguments of a command, or of one below it, get a next step. */
function explaining(command: Command, path: string): Command {
  command.commands.forEach((child) => explaining(child, `${path} ${child.name()}`));
  return command.showHelpAfterError(`(${path} --help explains its options; make takes them as variables, e.g. ZONE=)`);
}

/** An action whose result, if it is a number, becomes the exit code. */
const exiting =
  <Given extends unknown[]>(action: (...given: Given) => Promise<number | void>) =>
  async (...given: Given): Promise<void> => {
    const exitCode = await action(...given);
    if (typeof exitCode === "number") process.exitCode = exitCode;
  };

const withStack = (name: string, description: string, stack = "dev"): Command =>
  new Command(name).description(description).option("-s, --stack <name>", "which Pulumi.<name>.yaml", stack);

const asking = (command: Command): Command =>
  command.option("-y, --yes", "do not ask for confirmation (unprotected sandbox and docker stacks never ask)");

/** For the commands that work on all regions, where these have stacks of their own. */
const perRegion = (command: Command): Command =>
  command
    .option("-r, --region <name>", "one region, if regions have their own stacks; default: all")
    .option("--jobs <number>", "how many regions at a time; default: as many as there are cores");

/** For the commands that CI runs in one job per Pulumi stack. */
const alone = (command: Command): Command =>
  command.option("--alone", "without the stacks of its regions, if regions have their own");

interface Stacked {
  readonly stack: string;
  readonly yes?: boolean;
}

const initCommand = (): Command =>
  new Command("init")
    .description(
      "create the file of your first stack, Pulumi.<name>.yaml, and check its cluster; asks for what it needs",
    )
    .option("-s, --stack <name>", "name of the new stack")
    .option("--context <name>", "context of your kubeconfig that leads to the cluster")
    .option("--region <name>", "e.g. us-east")
    .option("--datacenter <name>", "e.g. nyc")
    .option("--registry <host[:port]>", "registry that the stack pushes its build of the Kazoo image to")
    .addOption(new Option("--image <reference>", "an existing Kazoo image, instead of a build").conflicts("registry"))
    .option("--storage-class <name>", "StorageClass of all volumes; default: the cluster's default class")
    .option("-y, --yes", "write the file without asking, if the check finds no error")
    .addHelpText("after", "\nExisting files are never overwritten. Exit code 1: no file was written.")
    .action(exiting((options: import("./commands/init").InitOptions) => code.init().init(options)));

function stackCommands(): Command[] {
  const pulumiCommand = (name: "up" | "preview" | "destroy", description: string): Command =>
    perRegion(withStack(name, description))
      .argument("[pulumi arguments...]", "after --: passed to pulumi")
      .action(exiting((args: string[], options: Stacked) => code.fleet()[name](options, args)));
  return [
    alone(
      asking(pulumiCommand("up", "deploy a stack or bring it up to date: toolchain, sandbox, then `pulumi up`")),
    ).option("-f, --force", "take back the fields that others have changed in the cluster; asks first"),
    pulumiCommand("preview", "show what `up` would change"),
    asking(pulumiCommand("destroy", "remove a stack and everything it created")),
    withStack(
      "env",
      'print the variables that plain pulumi and kubectl need for a stack: eval "$(npx kazoo env)"',
    ).action(exiting((options: Stacked) => code.env().env(options))),
  ];
}

const reportExitCodes = `
Exit codes: 0 no change, 2 changes, 3 changes that replace or delete what is protected or holds data, 1 error.
Data: StatefulSets of brokers and databases, Namespaces, Secrets, volumes, random passwords and cookies; whether protected or not.`;

function reportCommands(): Command[] {
  return [
    withStack("preview-report", "preview a stack and write report.md and report.html for a reviewer")
      .option("-o, --out <folder>", "where to write (default: .state/report/<stack>)")
      .option("-j, --json <file>", "use this output of `pulumi preview --json` instead of a new preview")
      .option("--parts <folder>", "use the findings.json below it, which --alone has written for each region's stack")
      .action(exiting((options: Stacked) => code.report().previewReport(options))),
    withStack(
      "drift",
      "find manual changes in the clusters, and what the program would undo; changes neither clusters nor state",
    )
      .option("-o, --out <folder>", "where to write (default: .state/drift/<stack>)")
      .action(exiting((options: Stacked) => code.report().drift(options))),
  ].map((command) => alone(perRegion(command)).addHelpText("after", reportExitCodes));
}

const backupCommands = (): Command[] => [
  withStack("backup", "write a stack's state, with its secrets, to an encrypted file (age's format)")
    .option("-o, --out <file>", "file to write; default: kazoo-STACK-TIME.age")
    .option("--passphrase-file <file>", "file with the passphrase to encrypt with")
    .option("--recipient <key...>", "public keys of age to encrypt for, instead of a passphrase")
    .addHelpText("after", "\nIt does not contain databases and volumes. An existing file is never overwritten.")
    .action(exiting((options: import("./commands/backup").BackupOptions) => code.backup().backup(options))),
  withStack("restore", "restore a stack's state from such a file, into the stack's current backend")
    .requiredOption("--from <file>", "file written by backup")
    .option("--passphrase-file <file>", "file with the passphrase it was encrypted with")
    .option("--identity <file>", "file with the secret key of age, instead of a passphrase")
    .option("-y, --yes", "replace a state that has resources without asking")
    .addHelpText("after", "\nA wrong or damaged file changes nothing. Clusters are not touched.")
    .action(exiting((options: import("./commands/backup").RestoreOptions) => code.backup().restore(options))),
];

const statusCommand = (): Command =>
  perRegion(
    withStack(
      "status",
      "show each zone: what is ready, whether databases have joined and first boot is done, what brokers, databases and Kazoo report, and what to do next",
    ),
  )
    .option("--json", "for programs", false)
    .option("-w, --watch", "refresh every two seconds, until q or Ctrl-C", false)
    .addHelpText(
      "after",
      "\nJOIN: the Job that joins the databases to one ring. FIRST BOOT: the Job that creates the master account, in the ring's first zone.\nLAST RESTART: when the newest Kazoo node started. With --watch, only the clusters are queried, not the pods.\nExit code 1: something is not ready, or does not work.",
    )
    .action(exiting((options: Stacked & { json: boolean; watch: boolean }) => code.status().status(options)));

const doctorCommand = (): Command =>
  withStack(
    "doctor",
    "examine a stack from inside its pods: names, ports, credentials, clocks, volumes, quotas, versions, and everything that status checks",
  )
    .option("--json", "for programs", false)
    .addHelpText(
      "after",
      "\nPrints what is wrong, why it matters and how to fix it. Changes nothing. Exit code 1: there are findings.",
    )
    .action(exiting((options: Stacked & { json: boolean }) => code.doctor().doctor(options)));

const topologyCommand = (): Command =>
  withStack(
    "topology",
    "draw a stack: regions, clusters, datacenters and rings, connections with ports, placement of copies",
  )
    .option("-o, --out <folder>", "where to write topology.html and topology.svg (default: .state/topology/<stack>)")
    .option("-l, --live", "include each node's current state, image and restarts")
    .addHelpText("after", "\nWithout --live it reads only the stack's file: the stack need not be deployed.")
    .action(exiting((options: Stacked & { out?: string; live?: boolean }) => code.topology().topology(options)));

const withZone = (name: string, description: string): Command =>
  withStack(name, description).option("-z, --zone <name>", "which zone; needed if the stack has several");

const withNode = (name: string, description: string): Command =>
  withZone(name, description).option(
    "-n, --node <name>",
    "which node, e.g. kazoo-0; needed if the zone has several Kazoo nodes",
  );

/** Refuses zones on Docker if the command has a replacement there. */
const checked = <Given extends Stacked>(given: Given, name: string, instead: string | undefined): Promise<Given> =>
  instead === undefined ? Promise.resolve(given) : code.nodes().onKubernetes(given, name, instead);

function nodeCommands(): Command[] {
  const log = (name: string, description: string, options: { follow: boolean; tail?: number }, instead?: string) =>
    withNode(name, description).action(
      exiting(async (given: Stacked) => code.logs().log(await checked(given, name, instead), options)),
    );
  const shell = (name: string, description: string, instead?: string) =>
    withNode(name, description)
      .argument("[command...]", "after --: run this instead of a shell")
      .action(
        exiting(async (command: string[], given: Stacked) =>
          code.logs().shell(await checked(given, name, instead), command),
        ),
      );
  return [
    log("logs", "print the log of a Kazoo node, or of the node in --node", { follow: false }),
    log("logsf", "follow the log of a Kazoo node, from its last 100 lines on", { follow: true, tail: 100 }),
    shell("shell", "open a shell in the container of a Kazoo node; accepts piped commands"),
    log("kube-logsf", "follow the log of a Kazoo pod, from its beginning", { follow: true }, "make logsf"),
    log(
      "kube-logsft",
      "show the last 25 lines of a Kazoo pod's log, then follow",
      { follow: true, tail: 25 },
      "make logsf",
    ),
    shell("kube-shell", "open a shell in a Kazoo pod", "make shell"),
    withNode("kazoo-maint-nodes", "ask a Kazoo node which nodes it knows (sup kz_nodes status)").action(
      exiting((given: Stacked) => code.logs().maintenanceNodes(given)),
    ),
  ];
}

const accountCommands = (): Command[] => [
  withNode(
    "init-account",
    "create the ring's master account, unless the ring has accounts (the bootstrap Job does the same)",
  ).action(exiting((given: Stacked) => code.accounts().initAccount(given))),
  withNode("init-apps", "register Monster UI's apps with the master account")
    .option("--path <folder>", "folder of the apps on the node; default: the config's")
    .option("--url <url>", "the API that the apps call; default: the config's, on Docker the published one")
    .action(exiting((given: Stacked) => code.accounts().initApps(given))),
  withNode("get-master-account", "show the ring's master account, as Kazoo reports it")
    .option("--name <name>", "name of the account; default: the config's")
    .addHelpText("after", "\nExit code 1: there is no account with this name, or Kazoo does not answer.")
    .action(exiting((given: Stacked) => code.accounts().getMasterAccount(given))),
];

type Deploy = typeof import("./commands/deploy");
type DeployOptions = import("./run/apply").DeployOptions;

/** `kazoo kube-…`: these change a zone's Kazoo only through Pulumi, so that state and cluster agree. */
function deployCommands(): Command[] {
  const command = (name: string, description: string, action: (options: DeployOptions) => Promise<void>): Command =>
    withZone(name, description).action(
      exiting(async (options: DeployOptions) =>
        action(await checked(options, name, "make launch-net and similar targets")),
      ),
    );
  const changing = (name: string, description: string, action: (options: DeployOptions) => Promise<void>): Command =>
    asking(command(name, description, action));
  const deploy = (action: (module: Deploy) => (options: DeployOptions) => Promise<void>) => (options: DeployOptions) =>
    action(code.deploy())(options);
  return [
    changing(
      "kube-deploy-service",
      "create the zone's Service kazoo",
      deploy(({ createService }) => createService),
    ),
    changing(
      "kube-apply-service",
      "update the zone's Service kazoo as configured",
      deploy(({ applyService }) => applyService),
    ),
    changing(
      "kube-delete-service",
      "delete the zone's Service kazoo; the nodes keep running, but cannot be reached through it",
      deploy(({ deleteService }) => deleteService),
    ),
    changing(
      "kube-deploy",
      "deploy the zone's Kazoo as configured; recorded in the stack's history",
      deploy(({ deployKazoo }) => deployKazoo),
    ),
    changing("kube-deploy-edit", "edit the zone's run environment in $EDITOR, preview, apply, wait", (options) =>
      code.edit().edit(options),
    ).addHelpText("after", "\nThe editor: KUBE_EDITOR, else VISUAL, else EDITOR, else vi."),
    changing("kube-deploy-rollback", "return the zone's Kazoo to an earlier environment and image", (options) =>
      code.rollback().rollback(options),
    ).option("--to <number>", "number of an update in kube-rollout-history; default: the last one that differs"),
    command(
      "kube-rollout-status",
      "wait until the zone's Kazoo is rolled out",
      deploy(({ rolloutStatus }) => rolloutStatus),
    )
      .option("--timeout <seconds>", "how long to wait", "900")
      .addHelpText("after", "\nExit code 1: it was not rolled out in that time, or there is no StatefulSet."),
    command("kube-rollout-history", "list the stack's updates and what they changed in the zone's Kazoo", (options) =>
      code.rollback().history(options),
    ),
    changing(
      "kube-delete-deployment",
      "delete the zone's Kazoo nodes; database, brokers and credentials stay",
      deploy(({ deleteNodes }) => deleteNodes),
    ),
  ];
}

type RunbookOptions = import("./runbook/runbook").RunbookOptions;
/** The credentials that `rotate` can replace, by argument. */
const whatToRotate = {
  rabbitmq: "rabbitmq",
  database: "database",
  cookie: "cookie",
  "database-cookie": "databaseCookie",
  "master-account": "masterAccount",
} as const satisfies Record<string, Rotated>;

type RotateOptions = Parameters<typeof import("./commands/rotate").rotate>[1];
type RebalanceOptions = Parameters<typeof import("./commands/rebalance").rebalance>[0];
type ScaleOptions = Parameters<typeof import("./commands/scale").scale>[0];
type AddOptions = Parameters<typeof import("./commands/add").add>[0];
type MoveImagesOptions = Parameters<typeof import("./commands/moveImages").moveImages>[0];
type UseContextOptions = Parameters<typeof import("./commands/useContext").useContext>[0];
type RenameOptions = Parameters<typeof import("./commands/rename").rename>[0];
type GrowOptions = Parameters<typeof import("./commands/grow").grow>[0];
type Upgraded = import("./commands/upgrade").Upgraded;
type UpgradeOptions = Parameters<typeof import("./commands/upgrade").upgrade>[1];

/** Changes of a live stack in several steps, see docs/runbooks.md. */
function runbookCommands(): Command[] {
  const steps = (command: Command): Command =>
    command
      .option("--dry-run", "show each step with what it touches, and change nothing")
      .addHelpText("after", "\nAfter an interruption, run it again: it continues with the remaining steps.");
  const runbook = (name: string, description: string, action: (options: RunbookOptions) => Promise<void>): Command =>
    steps(asking(withZone(name, description))).action(
      exiting(async (options: RunbookOptions) => action(await checked(options, name, "make stop and make start"))),
    );
  return [
    runbook(
      "drain",
      "take a zone out of service for maintenance: Kazoo, then brokers, then database nodes if the ring stays whole; data stays",
      (options) => code.drain().drain(options),
    ),
    runbook("return", "return a drained zone to service: database nodes, then brokers, then Kazoo", (options) =>
      code.drain().returnZone(options),
    ),
    runbook("grow", "enlarge the volumes of a zone's database nodes or brokers; the pods keep running", (options) =>
      code.grow().grow(options as GrowOptions),
    )
      .addOption(
        new Option("--workload <name>", "whose volumes").choices(["database", "rabbitmq"]).makeOptionMandatory(),
      )
      .requiredOption("--to <size>", "size of each volume, e.g. 200Gi"),
    steps(
      asking(
        withStack("add", "add a datacenter to a ring: it is deployed, joins, and existing shards get copies there"),
      ),
    )
      .requiredOption("--region <name>", "its region, e.g. us-west")
      .requiredOption("--datacenter <name>", "its name there, e.g. sfo")
      .option("--ring <name>", "which ring; needed if the stack has several")
      .option("--cluster <name>", "name of its cluster in the stack's file; default: the region's, or the only one")
      .option("--context <name>", "context of the kubeconfig, if the stack's file does not have this cluster yet")
      .option("--copies <number>", "copies of each shard there, if the stack's file names the ring's placement")
      .action(exiting((options: AddOptions) => code.add().add(options))),
    runbook(
      "scale",
      "change the number of a zone's database nodes: shards move to new nodes, or off those that go",
      (options) => code.scale().scale(options as ScaleOptions),
    ).requiredOption("--to <number>", "how many database nodes the zone is to have"),
    runbook(
      "remove",
      "remove a datacenter: stop its Kazoo and brokers, move its shards to the ring's other zones, delete its resources",
      (options) => code.remove().remove(options),
    ).option("--copies <number>", "copies to keep of each shard, if the remaining nodes are too few for all of them"),
    steps(
      asking(
        withStack(
          "rebalance",
          "move existing shards to the zones where the stack's file wants copies, evenly over their nodes",
        ),
      ),
    )
      .option("-r, --ring <name>", "which ring; needed if the stack has several")
      .option("--without <zone>", "move all shards away from the database nodes of this zone, before it is removed")
      .option("--copies <number>", "copies of each shard, even for databases that have more now")
      .addHelpText("after", "\nWithout --copies, databases that have more copies than the config wants keep theirs.")
      .action(exiting((options: RebalanceOptions) => code.rebalance().rebalance(options))),
    steps(
      asking(withStack("split", "move the datacenters of a live stack to a stack per region; no cluster is touched")),
    ).action(exiting((options: RunbookOptions) => code.split().split(options))),
    steps(asking(withStack("join", "merge the stacks of all regions into one; no cluster is touched"))).action(
      exiting((options: RunbookOptions) => code.split().join(options)),
    ),
    steps(asking(withStack("rename", "give a live stack another name; no cluster is touched")))
      .requiredOption("--to <name>", "the new name")
      .action(exiting((options: RenameOptions) => code.rename().rename(options))),
    steps(
      asking(
        withStack(
          "move-images",
          "run a stack with the same images from another registry or mirror, after comparing digests",
        ),
      ),
    )
      .requiredOption("--from <place>", "registry, with or without a path; docker.io is Docker Hub")
      .requiredOption("--to <place>", "where the same images are, e.g. registry.example.com/mirror")
      .action(exiting((options: MoveImagesOptions) => code.moveImages().moveImages(options))),
    steps(
      asking(
        withStack("use-context", "reach a cluster of a live stack through another context; no object in it is touched"),
      ),
    )
      .option("--cluster <name>", "which cluster of the stack's file; needed if it has several")
      .requiredOption("--context <name>", "the context to use from now on")
      .option("--kubeconfig <path>", "its file, from the project's folder; default: the one that the cluster has now")
      .action(exiting((options: UseContextOptions) => code.useContext().useContext(options))),
    steps(
      asking(
        withStack("rotate", "replace a ring's credential with a random one; passwords change without refused logins"),
      ),
    )
      .addArgument(new Argument("<what>", "which credential").choices(Object.keys(whatToRotate)))
      .option("-r, --ring <name>", "which ring; needed if the stack has several")
      .option("--keep", "stop before the old credential is removed; run it again without this option to finish")
      .action(
        exiting((what: keyof typeof whatToRotate, options: RotateOptions) =>
          code.rotate().rotate(whatToRotate[what], options),
        ),
      ),
    steps(asking(withStack("upgrade", "upgrade a ring's brokers or database, or the stack's Kazoo")))
      .addArgument(new Argument("<what>", "what to upgrade").choices(["kazoo", "rabbitmq", "database"]))
      .requiredOption("--to <version>", "the new version: for kazoo e.g. 4.3.12, rabbitmq 4.2, database couchdb-3.3.3")
      .option("-r, --ring <name>", "which ring; needed for brokers and database if the stack has several")
      .option("--image <reference>", "image of the new version; needed if the stack's file names that of the old one")
      .action(exiting((what: Upgraded, options: UpgradeOptions) => code.upgrade().upgrade(what, options))),
  ];
}

function dockerCommands(): Command {
  const group = new Command("docker").description("the Kazoo image and the containers of a stack on plain Docker");
  const add = (
    name: string,
    description: string,
    action: (module: typeof import("./commands/docker")) => (stack: string, args: string[]) => Promise<void>,
  ): void => {
    group.addCommand(
      withStack(name, description, "docker")
        .argument("[arguments...]", "after --: passed to docker or pulumi")
        .action(exiting((args: string[], { stack }: Stacked) => action(code.docker())(stack, args))),
    );
  };
  add("build", "build the Kazoo image as the stack would", ({ build }) => build);
  add("rebuild", "build it without the cache", ({ rebuild }) => rebuild);
  add("tag", "tag the built image with all its names in the stack, and with the given ones", ({ tag }) => tag);
  add("push", "push the built image under all its names, with the login of `docker login`", ({ push }) => push);
  add("rmi", "remove the image from the engine", ({ removeImage }) => removeImage);
  add("run", "open a shell in a new container of the image", ({ shellInImage }) => shellInImage);
  add("launch", "run Kazoo alone, on Docker's default network", ({ launch }) => launch);
  add("launch-net", "start Kazoo, brokers and database on the stack's network", ({ launchStack }) => {
    return launchStack;
  });
  add("create-network", "create the stack's network", ({ createNetwork }) => createNetwork);
  add("launch-deps", "start the stack's brokers and database", ({ launchStores }) => launchStores);
  add("kill-deps", "kill the stack's brokers and database; their data stays", ({ killStores }) => killStores);
  add("start", "start Kazoo's stopped container", ({ onKazoo }) => onKazoo("start"));
  add("stop", "stop Kazoo's container gracefully", ({ onKazoo }) => onKazoo("stop"));
  add("kill", "kill Kazoo's container", ({ onKazoo }) => onKazoo("kill"));
  add("rm", "remove Kazoo's container", ({ onKazoo }) => onKazoo("rm", "--force"));
  return group;
}

const imagesCommand = (): Command =>
  withStack("images", "list the images that a stack pulls, e.g. to fill a mirror; needs neither cluster nor state")
    .option("--json", "print JSON, with the name that a mirror copies each image from", false)
    .action(exiting(async (options: Stacked & { json: boolean }) => code.images().images(options)));

const stacksCommand = (): Command =>
  new Command("stacks")
    .description(
      "print the Pulumi stacks of stacks' files as JSON, for a matrix of CI: several where regions have some",
    )
    .argument("<names...>", "which Pulumi.<name>.yaml")
    .option("--order", "of one: the order of its regions in an up, from what is deployed", false)
    .action(exiting((names: string[], options: { order: boolean }) => code.stacks().stacks(names, options)));

const operatorCommand = (): Command =>
  withStack("operator", "write the Stacks with which the Pulumi Kubernetes Operator deploys a stack, as YAML")
    .option("-o, --out <file>", "file to write; default: print it")
    .option("--repository <url>", "git repository; default: the remote origin")
    .option("--branch <name>", "branch to deploy; default: the current one")
    .option("--commit <hash>", "commit to deploy, instead of a branch")
    .option("--folder <path>", "the project's folder in the repository; default: where it is here")
    .option("--git-secret <name>", "Secret with the key token, if not everyone may read the repository")
    .option("--namespace <name>", "namespace of the objects; default: where they are applied")
    .option("--backend <url>", "Pulumi's backend; default: Pulumi Cloud")
    .option("--secret <name>", "Secret with PULUMI_ACCESS_TOKEN or PULUMI_CONFIG_PASSPHRASE", "kazoo-pulumi")
    .option("--kubeconfig-secret <name>", "Secret with the key kubeconfig", "kazoo-kubeconfig")
    .option("--service-account <name>", "ServiceAccount of the pods that run Pulumi", "pulumi")
    .option("--image <reference>", "image of these pods; default: pulumi/pulumi of the project's version")
    .option("--new", "for a first deployment, whose regions are created together", false)
    .addHelpText(
      "after",
      "\nIt reads the stack's file and git, and no secret. Without --new, regions of a ring wait for each other.",
    )
    .action(exiting((options: import("./commands/operator").OperatorOptions) => code.operator().operator(options)));

const renderCommand = (): Command =>
  new Command("render")
    .description(
      "render config.ini, vm.args, sys.config and .erlang.cookie from this environment, as the container does",
    )
    .option("--out <folder>", "folder to write to; created if missing", ".state/rendered")
    .action(exiting(({ out }: { out: string }) => code.render().render(out)));

const schemaCommand = (): Command =>
  new Command("schema")
    .description("write the JSON Schema of stack files, for editors: each key with its type, description and default")
    .option("--out <file>", "file to write to, if not the project's own config/stack.schema.json")
    .action(({ out }: { out?: string }) => code.schema().schema(out));

function sandboxCommand(): Command {
  const group = new Command("sandbox").description("Kubernetes clusters on this machine with simulated nodes");
  group.addCommand(
    withStack("up", "start the sandbox clusters of a stack, or the named ones, unless they run")
      .argument("[clusters...]", "names of clusters; default: the stack's")
      .option("--audit", "log requests to the API server in .sandbox/NAME/audit.log, until --no-audit or --purge")
      .option("--no-audit", "stop logging them")
      .action(exiting((names: string[], options: Stacked) => code.sandbox().up(names, options))),
  );
  group
    .command("down")
    .description("stop all sandbox clusters, or the named ones; their data stays")
    .argument("[clusters...]", "names of clusters; default: all in this project")
    .option("--purge", "remove their data, keys and contexts too", false)
    .action(exiting((names: string[], { purge }: { purge: boolean }) => code.sandbox().down(names, purge)));
  group
    .command("status")
    .description("show this project's sandbox clusters")
    .option("--json", "for programs", false)
    .action(exiting(({ json }: { json: boolean }) => code.sandbox().status(json)));
  return group;
}

const toolchainCommand = (): Command =>
  new Command("toolchain")
    .description("provide the Pulumi CLI, its plugins and the sandbox's programs; build what cannot be downloaded")
    .addArgument(
      new Argument("[parts...]", "parts to provide; default: those that the stack dev needs").choices(allParts),
    )
    .option(
      "--prune",
      "remove programs of older versions of the project, Go's build cache, and the record of failed downloads",
    )
    .addHelpText(
      "after",
      "\nTOOLCHAIN=system uses the installed Pulumi, TOOLCHAIN=download downloads it, TOOLCHAIN=build builds it from Go modules; unset: the first one that works.\nKAZOO_MIRROR=<url> downloads from <url>/<host>/<path>.",
    )
    .action(
      exiting((parts: (typeof allParts)[number][], { prune = false }: { prune?: boolean }) =>
        code.toolchain().toolchain(parts, prune),
      ),
    );

const completeCommand = (): Command =>
  new Command("complete")
    .description("print a script that completes commands, options, stacks and zones in your shell")
    .argument("[words...]", "bash, zsh or fish; or, after --, the words to complete")
    .addHelpText(
      "after",
      '\nFor bash, add to ~/.bashrc:\n  kazoo() { npx kazoo "$@"; }\n  source <(npx kazoo complete bash)',
    )
    .action(exiting((words: string[]) => code.complete().complete(words, withoutCompletion())));
