import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clone } from "../support/clone";
import { opened } from "../support/exported";
import type { Fleet } from "./fleet";
import { mustRun } from "./mustRun";

/** The same objects for the other programs: for each cluster a file CLUSTER.json for kubectl, and a chart CLUSTER/ for Helm. */
export interface Exported {
  /** Has two folders: `before` and, after a variable has changed, `changed`. Private, because the secrets in it are plain text. */
  readonly folder: string;
  /** The namespaces of each cluster. */
  readonly namespaces: Map<string, string[]>;
}

type Manifest = { kind: string; metadata: { name: string } };

/** Writes the objects of a fleet that is deployed with a stack per region, and returns how many they are. */
export async function exportObjects(
  clone: Clone,
  fleet: Fleet,
  { folder, namespaces }: Exported,
  version: "before" | "changed",
): Promise<{ objects: number; resources: number }> {
  const { stdout: environment } = await mustRun(clone, ["env", "--stack", "bench"]);
  const clusters = new Map<string, Manifest[]>();
  const count = { objects: 0, resources: 0 };
  for (const { name, cluster } of fleet.regions) {
    const exported = await promisify(execFile)(
      "sh",
      ["-c", `${environment}\nexec pulumi stack export --show-secrets --stack bench.${name}`],
      { cwd: clone.directory, maxBuffer: 1024 * 1024 * 1024 },
    );
    const { deployment } = JSON.parse(exported.stdout) as {
      deployment: { resources: { type: string; inputs: Manifest }[] };
    };
    const objects = deployment.resources
      .filter(({ type }) => type.startsWith("kubernetes:"))
      .map(({ inputs }) => opened(inputs) as Manifest);
    clusters.set(cluster, [...(clusters.get(cluster) ?? []), ...objects]);
    count.objects += objects.length;
    count.resources += deployment.resources.length;
  }
  for (const [cluster, objects] of clusters) {
    const isNamespace = ({ kind }: Manifest) => kind === "Namespace";
    const ordered = [...objects.filter(isNamespace), ...objects.filter((object) => !isNamespace(object))];
    namespaces.set(
      cluster,
      objects.filter(isNamespace).map(({ metadata }) => metadata.name),
    );
    const chart = join(folder, version, cluster);
    mkdirSync(join(chart, "templates"), { recursive: true });
    writeFileSync(
      join(folder, version, `${cluster}.json`),
      JSON.stringify({ apiVersion: "v1", kind: "List", items: ordered }),
    );
    writeFileSync(join(chart, "Chart.yaml"), "apiVersion: v2\nname: bench\nversion: 1.0.0\n");
    const documents = ordered.map((object) => JSON.stringify(object)).join("\n---\n");
    // Braces in an object, as in an alert's text, are no template.
    writeFileSync(join(chart, "templates/objects.yaml"), documents.replaceAll("{{", '{{ "{{" }}'));
  }
  return count;
}
