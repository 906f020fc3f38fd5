import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { testPrograms } from "../programs";
import { type Clone, cloneProject } from "../support/clone";
import { type Contender, helm, kazoo, kubectl, steps } from "./contenders";
import { exportObjects } from "./exportObjects";
import { fleetOf, stackFile } from "./fleet";
import { type Figures, measured, median } from "./measured";
import { mustRun } from "./mustRun";
import { type Result, writePerformance } from "./writePerformance";

/**
 * `make bench`: the program's time, CPU and memory next to Helm's and kubectl's, for the same objects on the same sandbox clusters in one run.
 * Figures depend on the machine and the moment, so compare the ratios. It updates docs/performance.md with the sizes that it measured.
 *
 * DATACENTERS: sizes, e.g. `8` or `1,8,32,64` (the default). ROUNDS: how often each size is measured; by default three times if no step
 * of the first round took a minute, otherwise once.
 */
async function main(): Promise<void> {
  const sizes = numbers("DATACENTERS") ?? [1, 8, 32, 64];
  const rounds = numbers("ROUNDS")?.[0];
  const program = await testPrograms(["helm", "kubectl"], say);
  for (const datacenters of sizes) {
    const clone = await cloneProject();
    try {
      await writePerformance(
        await benchmark(clone, datacenters, rounds, { helm: program("helm"), kubectl: program("kubectl") }),
      );
    } finally {
      await clone.dispose();
    }
  }
  say("updated: docs/performance.md");
}

async function benchmark(
  clone: Clone,
  datacenters: number,
  rounds: number | undefined,
  programs: Record<"helm" | "kubectl", string>,
): Promise<Result> {
  const fleet = fleetOf(datacenters);
  const objects = { folder: join(clone.directory, "bench"), namespaces: new Map<string, string[]>() };
  mkdirSync(objects.folder, { mode: 0o700 });
  const perRegion = kazoo(clone, fleet, "a stack per region");
  const contenders: Contender[] = [
    // More in one stack is not how they are run: the cost of checkpoints grows with the square of a stack's resources.
    ...(datacenters <= 8 ? [kazoo(clone, fleet, "one stack")] : []),
    perRegion,
    helm(programs.helm, clone, fleet, objects),
    kubectl(programs.kubectl, clone, fleet, objects),
  ];
  stackFile(clone, fleet, "one stack", {});
  await mustRun(clone, ["sandbox", "up", "--stack", "bench"]);

  const found = new Map<string, Figures[]>();
  const figuresOf = ({ name }: Contender, step: string): Figures[] => found.get(`${name}/${step}`) ?? [];
  let count = { objects: 0, resources: 0 };
  let round = 0;
  do {
    for (const contender of contenders) {
      for (const step of steps) {
        if (contender.run[step] === undefined) continue;
        const figures = await measured(contender.run[step]);
        found.set(`${contender.name}/${step}`, [...figuresOf(contender, step), figures]);
        say(`${datacenters} datacenters, ${contender.name}, ${step}: ${figures.seconds.toFixed(1)} s`);
        // The other programs get the objects that this one has deployed.
        if (contender === perRegion && step === "up") count = await exportObjects(clone, fleet, objects, "before");
        if (contender === perRegion && step === "changed variable")
          await exportObjects(clone, fleet, objects, "changed");
      }
    }
    round += 1;
  } while (round < (rounds ?? ([...found.values()].flat().some(({ seconds }) => seconds >= 60) ? 1 : 3)));
  return {
    datacenters,
    clusters: fleet.clusters,
    regions: fleet.regions.length,
    ...count,
    rounds: round,
    figures: Object.fromEntries(
      contenders.map((contender) => [
        contender.name,
        Object.fromEntries(
          steps
            .filter((step) => contender.run[step] !== undefined)
            .map((step) => [step, median(figuresOf(contender, step))]),
        ),
      ]),
    ),
  };
}

function numbers(variable: string): number[] | undefined {
  const text = process.env[variable];
  if (text === undefined || text === "") return undefined;
  const parsed = text.split(",").map(Number);
  if (parsed.some((number) => !Number.isInteger(number) || number < 1))
    throw new Error(`${variable} is '${text}'; expected are whole numbers from 1, such as 8 or 1,8,32`);
  return parsed;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
