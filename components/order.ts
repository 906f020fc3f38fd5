import * as pulumi from "@pulumi/pulumi";

/** One workload of one zone. */
export interface Step {
  readonly zone: string;
  readonly workload: "alpha" | "beta" | "database" | "join" | "kazoo";
}

/**
 * The order in which a ring that lives changes, as data: the steps that must be done before this one begins.
 * - A zone's brokers never restart together, since Kazoo fails over from one to the other.
 * - The ring's databases change zone by zone: while one zone's copies are away, the others still have a quorum.
 * - All databases join before any Kazoo fills them.
 * - The first zone's Kazoo goes first: on an empty database it alone makes the databases, and later it is the one that meets a change first.
 * @param zones the ring's zones, in their order
 * @param exists whether a step's StatefulSet is there already: what is created waits for no other
 */
export function stepsBefore(
  { zone, workload }: Step,
  zones: readonly string[],
  exists: (step: Step) => boolean,
): Step[] {
  const [first] = zones;
  switch (workload) {
    case "alpha":
      return [];
    case "beta":
      return exists({ zone, workload }) ? [{ zone, workload: "alpha" }] : [];
    case "database": {
      if (!exists({ zone, workload })) return [];
      const earlier = zones.slice(0, zones.indexOf(zone)).map((name): Step => ({ zone: name, workload }));
      return earlier.filter(exists).slice(-1);
    }
    case "join":
      return [{ zone, workload: "database" }];
    case "kazoo":
      return [
        ...zones.flatMap((name) =>
          (["alpha", "beta", "database", "join"] as const).map((store) => ({ zone: name, workload: store })),
        ),
        ...(first === undefined || zone === first ? [] : [{ zone: first, workload } as const]),
      ];
  }
}

/** What to depend on for a workload to be as this update makes it. */
export type Rolled = readonly pulumi.Input<pulumi.Resource>[];

/** The steps of a ring that are made so far, and what a next one must wait for. */
export class RingOrder {
  private readonly made = new Map<string, Rolled>();
  private readonly asked = new Map<Step["workload"], Promise<ReadonlySet<string>>>();

  /** @param zones names of the ring's zones @param exists see {@link stepsBefore}; asked once per step, and never by a preview */
  constructor(
    private readonly zones: readonly string[],
    private readonly exists: (step: Step) => Promise<boolean>,
  ) {}

  /** Notes that a step is made. */
  add({ zone, workload }: Step, rolled: Rolled): void {
    this.made.set(`${zone}/${workload}`, rolled);
  }

  /** What a step must depend on. */
  async before(step: Step): Promise<pulumi.Input<pulumi.Resource>[]> {
    const exists = await this.existing(step.workload);
    return stepsBefore(step, this.zones, exists).flatMap((each) => this.of(each));
  }

  /** What to depend on for all of Kazoo to be as this update makes it. */
  kazoos(): pulumi.Input<pulumi.Resource>[] {
    return this.zones.flatMap((zone) => this.of({ zone, workload: "kazoo" }));
  }

  /** Which zones have a workload already. A preview does not ask: it waits for nothing. */
  private async existing(workload: Step["workload"]): Promise<(step: Step) => boolean> {
    if (pulumi.runtime.isDryRun()) return () => true;
    let answers = this.asked.get(workload);
    if (answers === undefined) {
      const ask = async (zone: string) => ((await this.exists({ zone, workload })) ? [zone] : []);
      answers = Promise.all(this.zones.map(ask)).then((zones) => new Set(zones.flat()));
      this.asked.set(workload, answers);
    }
    const zones = await answers;
    return ({ zone }) => zones.has(zone);
  }

  private of({ zone, workload }: Step): Rolled {
    return this.made.get(`${zone}/${workload}`) ?? [];
  }
}
