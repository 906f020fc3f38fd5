import * as pulumi from "@pulumi/pulumi";

/** One workload of one zone. */
export interface Step {
  readonly zone: string;
  readonly workload: "alpha" | "beta" | "database" | "join" | "kazoo";
}

/**
 * The order of changes in a live ring: the steps that must be done before this one starts.
 * - A zone's brokers never restart together, because Kazoo fails over from one to the other.
 * - The ring's databases change zone by zone: while one zone's copies are unavailable, the others still have a quorum.
 * - All databases join before any Kazoo fills them.
 * - The first zone's Kazoo comes first: on first boot it creates the databases alone, and later it gets each change first.
 * - Drained workloads stop in the opposite order: a zone's Kazoo, then its brokers, then its database.
 * @param zones the ring's zones, in their order
 * @param exists whether a step's StatefulSet exists: new ones do not wait for others
 * @param drained whether a step's StatefulSet should run no pods
 */
export function stepsBefore(
  { zone, workload }: Step,
  zones: readonly string[],
  exists: (step: Step) => boolean,
  drained: (step: Step) => boolean = () => false,
): Step[] {
  const [first] = zones;
  if (workload !== "join" && drained({ zone, workload })) {
    const users = { kazoo: [], alpha: ["kazoo"], beta: ["kazoo"], database: ["alpha", "beta"] } as const;
    return users[workload].map((user) => ({ zone, workload: user }));
  }
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

/** What dependents must wait for: a workload is created and rolled out. */
export type Rolled = readonly pulumi.Input<pulumi.Resource>[];

/** The zones of a ring that other stacks deploy, perhaps at the same time. */
export interface Elsewhere {
  readonly has: (zone: string) => boolean;
  /** Resolves once a step is done there. */
  readonly done: (step: Step) => Promise<void>;
}

/** The steps of a ring so far, and what the next one must wait for. */
export class RingOrder {
  private readonly made = new Map<string, Rolled>();
  private readonly asked = new Map<Step["workload"], Promise<ReadonlySet<string>>>();

  /**
   * @param zones names of the ring's zones
   * @param exists see {@link stepsBefore}; asked once per step, and never by a preview
   * @param drained see {@link stepsBefore}
   * @param elsewhere the zones that other stacks deploy
   */
  constructor(
    private readonly zones: readonly string[],
    private readonly exists: (step: Step) => Promise<boolean>,
    private readonly drained: (step: Step) => boolean = () => false,
    private readonly elsewhere: Elsewhere = { has: () => false, done: () => Promise.resolve() },
  ) {}

  /** Records a step. */
  add({ zone, workload }: Step, rolled: Rolled): void {
    this.made.set(`${zone}/${workload}`, rolled);
  }

  /** The dependencies of a step. They are known once the program has run through: a step may wait for one that is added after it. */
  async before(step: Step): Promise<pulumi.Input<pulumi.Resource>[]> {
    const exists = await this.existing(step.workload);
    const steps = stepsBefore(step, this.zones, exists, this.drained);
    await Promise.all(steps.filter(({ zone }) => this.elsewhere.has(zone)).map((each) => this.doneElsewhere(each)));
    return steps.flatMap((each) => this.of(each));
  }

  /**
   * In a new ring, whose first Kazoo does not exist, all stores of all stacks must come before any Kazoo. In a live ring, only existing workloads are
   * waited for: a workload that another stack has not created yet delays nothing, as in a single stack.
   */
  private async doneElsewhere(step: Step): Promise<void> {
    if (pulumi.runtime.isDryRun()) return;
    const [first = ""] = this.zones;
    const isNew = !(await this.existing("kazoo"))({ zone: first, workload: "kazoo" });
    if (isNew || (step.workload !== "join" && (await this.existing(step.workload))(step)))
      await this.elsewhere.done(step);
  }

  /** What dependents must wait for: all of Kazoo is created and rolled out. */
  kazoos(): pulumi.Input<pulumi.Resource>[] {
    return this.zones.flatMap((zone) => this.of({ zone, workload: "kazoo" }));
  }

  /** The zones that already have a workload. A preview does not ask, because it waits for nothing. */
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
