import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clone } from "../support/clone";
import type { Exported } from "./exportObjects";
import { type Fleet, type Layout, stackFile } from "./fleet";
import { mustRun } from "./mustRun";

/** What is measured, in this order. */
export const steps = ["up", "preview", "unchanged up", "changed variable", "destroy"] as const;
export type Step = (typeof steps)[number];

/** A way to deploy the fleet. */
export interface Contender {
  readonly name: string;
  /** Steps that it cannot do are absent. */
  readonly run: Partial<Record<Step, () => Promise<unknown>>>;
}

/** This program, with one stack or a stack per region. */
export function kazoo(clone: Clone, fleet: Fleet, layout: Layout): Contender {
  const run = (command: string) => mustRun(clone, [command, "--stack", "bench"]);
  const upWith = (environment: object) => () => {
    stackFile(clone, fleet, layout, environment);
    return run("up");
  };
  return {
    name: `kazoo, ${layout}`,
    run: {
      up: upWith({}),
      preview: () => run("preview"),
      "unchanged up": () => run("up"),
      "changed variable": upWith({ BENCH: "1" }),
      destroy: () => run("destroy"),
    },
  };
}

/** Helm with one release per cluster. It has no preview of its own. */
export function helm(program: string, clone: Clone, fleet: Fleet, { folder }: Exported): Contender {
  const run = (...args: string[]) =>
    inEachCluster(fleet, (cluster) =>
      execute(program, [
        ...args.map((arg) => arg.replace("CLUSTER", cluster)),
        ...["--kubeconfig", kubeconfig(clone), "--kube-context", `sandbox-${cluster}`],
        ...["--wait", "--timeout", "30m"],
      ]),
    );
  const [before, changed] = [join(folder, "before", "CLUSTER"), join(folder, "changed", "CLUSTER")];
  return {
    name: "Helm",
    run: {
      up: () => run("install", "bench", before, "--wait-for-jobs"),
      "unchanged up": () => run("upgrade", "bench", before, "--wait-for-jobs"),
      "changed variable": () => run("upgrade", "bench", changed, "--wait-for-jobs"),
      destroy: () => run("uninstall", "bench"),
    },
  };
}

/** kubectl with one file per cluster. */
export function kubectl(program: string, clone: Clone, fleet: Fleet, { folder, namespaces }: Exported): Contender {
  const run = (cluster: string, ...args: string[]) =>
    execute(program, ["--kubeconfig", kubeconfig(clone), "--context", `sandbox-${cluster}`, ...args]);
  const file = (cluster: string, version: "before" | "changed") => join(folder, version, `${cluster}.json`);
  const apply = (version: "before" | "changed") => () =>
    inEachCluster(fleet, async (cluster) => {
      await run(cluster, "apply", "--server-side", "-f", file(cluster, version));
      const status = ["rollout", "status", "statefulset", "-l", "app.kubernetes.io/part-of=kazoo"];
      await Promise.all((namespaces.get(cluster) ?? []).map((namespace) => run(cluster, "-n", namespace, ...status)));
    });
  return {
    name: "kubectl",
    run: {
      up: apply("before"),
      preview: () =>
        inEachCluster(fleet, (cluster) => run(cluster, "diff", "--server-side", "-f", file(cluster, "before"))),
      "unchanged up": apply("before"),
      "changed variable": apply("changed"),
      // A deleted namespace may take its objects before kubectl asks for them.
      destroy: () =>
        inEachCluster(fleet, (cluster) => run(cluster, "delete", "--ignore-not-found", "-f", file(cluster, "changed"))),
    },
  };
}

const kubeconfig = (clone: Clone) => join(clone.directory, ".sandbox/kubeconfig");

const inEachCluster = ({ clusters }: Fleet, action: (cluster: string) => Promise<unknown>) =>
  Promise.all(Array.from({ length: clusters }, (_, index) => action(`c${index}`)));

const execute = (program: string, args: readonly string[]) =>
  promisify(execFile)(program, [...args], { maxBuffer: 64 * 1024 * 1024 });
