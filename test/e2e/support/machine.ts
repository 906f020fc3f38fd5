import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findCommand, run } from "../../image/support/commands";
import { until } from "../../support/until";

/**
 * A machine within this one, with its own network, mounts and processes, and its own `/run` and `/var` in the run's folder. Everything created
 * in it (interfaces, firewall rules, mounts, containers) is removed by the kernel when its first process ends, which ends with the
 * process that started it, for whatever reason.
 */
export interface Machine {
  /** Its address on its only network. */
  readonly address: string;
  /** This machine's address on that network. */
  readonly hostAddress: string;
  /** Starts a long-running program in it; its output goes to `NAME.log` in the run's folder. */
  readonly start: (name: string, command: readonly string[]) => void;
  /** Which started program has ended, with the end of its log; undefined while all run. */
  readonly failure: () => string | undefined;
  /** The program and its arguments that run a command in it. */
  readonly inside: (command: readonly string[]) => readonly [program: string, args: readonly string[]];
  /** Stops everything in it. */
  readonly stop: () => Promise<void>;
}

/** Options of a machine. */
export interface MachineOptions {
  /** Folder of the run; its path is in the command line of the machine's first process. */
  readonly folder: string;
  /** Name of this machine's network interface, at most 15 characters. */
  readonly link: string;
}

/**
 * The first process: sets up what only it can set up, then reaps orphans. Kernel settings are read-only inside, except for those of the
 * network, which belong to the inner machine, so no program in it changes this machine. Settings that the kubelet insists on are plain files.
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
  const inside: Machine["inside"] = (command) => [
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
    inside,
    stop: async () => {
      outer.kill("SIGKILL"); // its child, the first process, is killed with it
      await ended;
      await until("the machine to end", () => Promise.resolve(!existsSync(`/proc/${first}`)));
      await until("its network to go", () => Promise.resolve(!existsSync(`/sys/class/net/${link}`)));
    },
  };
}

/** The pid, on this machine, of a process's only child. */
function childOf(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? undefined : Number(children.split(" ")[0]);
}

/** Connects the machine through a network of two addresses to which this machine has no route yet. */
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
