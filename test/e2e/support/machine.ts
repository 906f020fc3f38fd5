import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findCommand, run } from "../../image/support/commands";
import { until } from "../../support/until";

/**
 * A machine within this one: network, mounts and processes of its own, `/run` and `/var` of its own in the run's folder. Whatever is made in
 * it (interfaces, firewall rules, mounts, containers) the kernel undoes when the machine's first process ends, and that one ends with the
 * process that started it, however that ends.
 */
export interface Machine {
  /** Its address on the only network it is connected to. */
  readonly address: string;
  /** The address of this side of that network. */
  readonly hostAddress: string;
  /** Starts a program in it that is meant to go on; its output goes to `NAME.log` in the run's folder. */
  readonly start: (name: string, command: readonly string[]) => void;
  /** Why a program that was started does not run any more, with the end of its log; undefined while all run. */
  readonly failure: () => string | undefined;
  /** Runs a command in it to its end and returns what it prints. */
  readonly run: (command: readonly string[]) => Promise<string>;
  /** Ends everything in it. */
  readonly stop: () => Promise<void>;
}

/** What a machine is made with. */
export interface MachineOptions {
  /** Folder of the run; its path is in the command line of the machine's first process. */
  readonly folder: string;
  /** Name of the network interface on this side, at most 15 characters. */
  readonly link: string;
}

/**
 * The first process: makes what only it can make, then reaps what is left to it. Kernel settings are read-only inside but for those of the
 * network, which are the machine's own, so that no program in it changes this machine. Those that the kubelet insists on setting are files.
 */
const firstProcess = `set -e
mount --bind "$0/run" /run
mount --bind "$0/var" /var
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=$0/settings/$setting
  mkdir -p "$(dirname "$copy")"
  cat "/proc/sys/$setting" > "$copy"
  mount --bind "$copy" "/proc/sys/$setting"
done
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
echo ready > "$0/ready"
sleep infinity &
wait`;

export async function startMachine({ folder, link }: MachineOptions): Promise<Machine> {
  for (const name of ["run", "var/lib", "var/log", "var/tmp", "var/cache"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  await run("ln", ["-sfn", "/run", join(folder, "var/run")]);
  const log = openSync(join(folder, "machine.log"), "a");
  const outer = spawn(
    findCommand("setpriv")!,
    [
      ...["--pdeathsig", "KILL", "--"],
      ...["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
      ...["sh", "-c", firstProcess, folder],
    ],
    { stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const ended = new Promise<void>((done) => outer.once("exit", () => done()));
  const first = await until("the machine's first process", () => {
    if (outer.exitCode !== null) throw new Error(readFileSync(join(folder, "machine.log"), "utf8").trim());
    return Promise.resolve(existsSync(join(folder, "ready")) ? childOf(outer.pid!) : undefined);
  });

  const [hostAddress, address] = await connect(link, first);
  const inside = (command: readonly string[]): [string, string[]] => [
    findCommand("nsenter")!,
    [`--target=${first}`, "--net", "--mount", "--pid", "--", ...command],
  ];
  const programs = new Map<string, ChildProcess>();
  return {
    address,
    hostAddress,
    start: (name, command) => {
      const output = openSync(join(folder, `${name}.log`), "a");
      programs.set(name, spawn(...inside(command), { stdio: ["ignore", output, output] }));
      closeSync(output);
    },
    failure: () => {
      const [dead] =
        [...programs].find(([, { exitCode, signalCode }]) => exitCode !== null || signalCode !== null) ?? [];
      if (dead === undefined) return undefined;
      const lines = readFileSync(join(folder, `${dead}.log`), "utf8")
        .trimEnd()
        .split("\n")
        .slice(-15);
      return [`${dead} ended; the end of its log:`, ...lines].join("\n  ");
    },
    run: (command) => run(...inside(command)),
    stop: async () => {
      outer.kill("SIGKILL"); // its child, the first process, is killed with it
      await ended;
      await until("the machine to end", () => Promise.resolve(!existsSync(`/proc/${first}`)));
      await until("its network to go", () => Promise.resolve(!existsSync(`/sys/class/net/${link}`)));
    },
  };
}

/** The number, on this side, of a process's only child. */
function childOf(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? undefined : Number(children.split(" ")[0]);
}

/** Connects the machine by a network of two addresses that this machine has no route to yet. */
async function connect(link: string, first: number): Promise<[string, string]> {
  const routes = await run("ip", ["-4", "route", "show", "table", "all"]);
  const third = Array.from({ length: 256 }, (_, index) => index).find((index) => !routes.includes(`172.29.${index}.`));
  if (third === undefined) throw new Error("no free network below 172.29.0.0/16");
  const [host, machine] = [`172.29.${third}.1`, `172.29.${third}.2`];
  await run("ip", ["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", String(first)]);
  await run("ip", ["address", "add", `${host}/30`, "dev", link]);
  await run("ip", ["link", "set", link, "up"]);
  const enter = ["--target", String(first), "--net", "--"];
  await run("nsenter", [...enter, "ip", "address", "add", `${machine}/30`, "dev", "eth0"]);
  await run("nsenter", [...enter, "ip", "link", "set", "eth0", "up"]);
  await run("nsenter", [...enter, "ip", "route", "add", "default", "via", host]);
  return [host, machine];
}
