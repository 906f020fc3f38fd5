import { workloads } from "../../../components/names";
import type { ZoneHealth } from "./health";

/** An image that nodes run, and where. */
export interface RunningImage {
  readonly workload: string;
  readonly zones: readonly string[];
  /** Without the digest. */
  readonly name: string;
  /** `sha256:…`; undefined if the node has not reported it yet, or its engine reports none. */
  readonly digest?: string;
}

/** The images of all nodes, each once per workload, so that a workload with more than one has more than one line. */
export function runningImages(zones: readonly ZoneHealth[]): RunningImage[] {
  const found = zones.flatMap(({ zone, nodes = {} }) =>
    Object.entries(nodes).flatMap(([node, { image }]) => (image === undefined ? [] : [{ zone, node, image }])),
  );
  return [workloads.kazoo, workloads.rabbitmq, workloads.database].flatMap((workload) => {
    const own = found.filter(({ node }) => node === workload || node.startsWith(`${workload}-`));
    return [...new Set(own.map(({ image }) => image))].sort().map((image) => {
      const [name = image, digest] = image.split("@");
      const inZones = new Set(own.filter((one) => one.image === image).map(({ zone }) => zone));
      return { workload, zones: [...inZones], name, ...(digest === undefined ? {} : { digest }) };
    });
  });
}
