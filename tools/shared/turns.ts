/** As many pieces of work at a time as there are turns; the others wait, in the order in which they came. */
export class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Does work when there is a turn for it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((turn) => this.waiting.push(turn));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}

/** Does work for all items, so many at a time; results in the order of the items. */
export function sideBySide<T, R>(limit: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const turns = new Turns(limit);
  return Promise.all(items.map((item) => turns.run(() => work(item))));
}
