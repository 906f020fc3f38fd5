import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { type Step, steps } from "./contenders";
import type { Figures } from "./measured";
import { plot } from "./plot";

/** What was measured for one size. */
export interface Result {
  readonly datacenters: number;
  readonly clusters: number;
  readonly regions: number;
  /** Kubernetes objects, without those that controllers create. */
  readonly objects: number;
  /** Pulumi resources, with a stack per region. */
  readonly resources: number;
  /** How often it was measured. The figures are medians. */
  readonly rounds: number;
  /** By contender and step. */
  readonly figures: Readonly<Record<string, Partial<Record<Step, Figures>>>>;
}

const docs = join(__dirname, "../../docs");
const results = join(__dirname, "results.json");

/** Records a size's result, and writes all sizes' table and plot into the documentation. */
export async function writePerformance(result: Result): Promise<void> {
  const known = existsSync(results) ? (JSON.parse(readFileSync(results, "utf8")) as Result[]) : [];
  const all = [...known.filter(({ datacenters }) => datacenters !== result.datacenters), result].sort(
    (a, b) => a.datacenters - b.datacenters,
  );
  writeFileSync(results, await format(JSON.stringify(all), { parser: "json", printWidth: 120 }));
  writeFileSync(join(docs, "performance.svg"), await plot(all));
  const page = join(docs, "performance.md");
  const text = readFileSync(page, "utf8").replace(
    /(<!-- figures -->\n)[^]*(<!-- end of figures -->)/,
    (_, begin: string, end: string) => `${begin}\n${all.map(section).join("\n")}\n${end}`,
  );
  writeFileSync(page, await format(text, { parser: "markdown", printWidth: 120, proseWrap: "always" }));
}

function section({ datacenters, clusters, regions, objects, resources, rounds, figures }: Result): string {
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const rows = steps.flatMap((step) => {
    const base = (figures["Helm"]?.[step] ?? figures["kubectl"]?.[step])?.seconds ?? NaN;
    return Object.entries(figures).flatMap(([contender, { [step]: found }]) =>
      found === undefined
        ? []
        : [
            `| ${step} | ${contender} | ${found.seconds.toFixed(1)} s | ${found.cpu.toFixed(1)} s | ` +
              `${Math.round(found.memory)} MiB | ${(found.seconds / base).toFixed(1)} |`,
          ],
    );
  });
  return `### ${count(datacenters, "datacenter")}

${count(regions, "region")} in ${count(clusters, "cluster")}, ${count(objects, "object")}, ${count(resources, "Pulumi resource")}; ${
    rounds === 1 ? "measured once" : `medians of ${rounds} rounds`
  }.

| step | with | time | CPU | memory | ratio |
| --- | --- | --: | --: | --: | --: |
${rows.join("\n")}
`;
}
