import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { testPrograms } from "../programs";
import { cloneProject, type Clone } from "../support/clone";
import { opened } from "../support/exported";

/**
 * `make bench`: the program's time compared with plain kubectl's, for the same objects on the same sandbox cluster in one run. Times depend on
 * the machine and the moment; compare the ratios.
 */
async function main(): Promise<void> {
  const program = await testPrograms(["kubectl"], () => undefined);
  const rows: string[] = [];
  for (const datacenters of [1, 8]) {
    process.stderr.write(`${datacenters} datacenter${datacenters === 1 ? "" : "s"} …\n`);
    const clone = await cloneProject();
    try {
      rows.push(...(await compare(clone, datacenters, program("kubectl"))));
    } finally {
      await clone.dispose();
    }
  }
  process.stdout.write(`datacenters  step                  kazoo   kubectl   ratio\n${rows.join("\n")}\n`);
}

async function compare(clone: Clone, datacenters: number, kubectl: string): Promise<string[]> {
  writeFileSync(join(clone.directory, "Pulumi.bench.yaml"), stringify(stackOf(datacenters)));
  await must(clone, ["sandbox", "up", "--stack", "bench"]);
  const kazoo = {
    up: await timed(() => must(clone, ["up", "--stack", "bench"])),
    preview: await timed(() => must(clone, ["preview", "--stack", "bench"])),
  };
  const { file, namespaces, dispose } = await manifests(clone);
  const destroy = await timed(() => must(clone, ["destroy", "--stack", "bench"]));

  const run = (...args: string[]) =>
    promisify(execFile)(kubectl, ["--kubeconfig", join(clone.directory, ".sandbox/kubeconfig"), ...args], {
      maxBuffer: 64 * 1024 * 1024,
    });
  const apply = async () => {
    await run("apply", "--server-side", "-f", file);
    await Promise.all(
      namespaces.map((namespace) =>
        run("-n", namespace, "rollout", "status", "statefulset", "-l", "app.kubernetes.io/part-of=kazoo"),
      ),
    );
  };
  const plain = {
    apply: await timed(apply),
    diff: await timed(() => run("diff", "--server-side", "-f", file)),
    delete: await timed(() => run("delete", "-f", file)),
  };
  dispose();
  return [
    line(datacenters, "up / apply", kazoo.up, plain.apply),
    line(datacenters, "preview / diff", kazoo.preview, plain.diff),
    line(datacenters, "destroy / delete", destroy, plain.delete),
  ];
}

const stackOf = (datacenters: number) => ({
  config: {
    "kazoo:protect": false,
    "kazoo:clusters": { local: { sandbox: true } },
    "kazoo:regions": {
      bench: {
        cluster: "local",
        datacenters: Object.fromEntries(Array.from({ length: datacenters }, (_, index) => [`dc${index}`, {}])),
      },
    },
  },
});

/** The stack's objects as one file for kubectl, namespaces first. */
async function manifests(clone: Clone): Promise<{ file: string; namespaces: string[]; dispose: () => void }> {
  const { stdout } = await must(clone, ["env", "--stack", "bench"]);
  const exported = await promisify(execFile)(
    "sh",
    ["-c", `${stdout}\nexec pulumi stack export --show-secrets --stack bench`],
    { cwd: clone.directory, maxBuffer: 256 * 1024 * 1024 },
  );
  type Manifest = { kind: string; metadata: { name: string } };
  const { deployment } = JSON.parse(exported.stdout) as {
    deployment: { resources: { type: string; inputs: Manifest }[] };
  };
  const objects = deployment.resources
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => opened(inputs) as Manifest);
  const isNamespace = ({ kind }: Manifest) => kind === "Namespace";
  const ordered = [...objects.filter(isNamespace), ...objects.filter((object) => !isNamespace(object))];
  // It contains plain-text secrets, so it exists only during the measurement, in a private folder.
  const folder = mkdtempSync(join(tmpdir(), "kazoo-bench-"));
  const file = join(folder, "objects.json");
  writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: ordered }), { mode: 0o600 });
  return {
    file,
    namespaces: objects.filter(isNamespace).map(({ metadata }) => metadata.name),
    dispose: () => rmSync(folder, { recursive: true }),
  };
}

async function must(clone: Clone, args: readonly string[]) {
  const run = await clone.run(args);
  if (run.code !== 0) throw new Error(`kazoo ${args.join(" ")} ended with ${run.code}\n${run.stdout}${run.stderr}`);
  return run;
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return (performance.now() - start) / 1000;
}

function line(datacenters: number, step: string, ours: number, theirs: number): string {
  const seconds = (value: number) => `${value.toFixed(1)} s`.padStart(8);
  return `${String(datacenters).padStart(11)}  ${step.padEnd(18)} ${seconds(ours)}  ${seconds(theirs)}  ${(ours / theirs).toFixed(1).padStart(6)}`;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
