/** Limits how many pieces of work run at a time; the others wait, in order of arrival. */
export class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Runs work when its turn comes. */
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

/** Runs work for all items, at most `limit` at a time; returns results in the order of the items. */
export function sideBySide<T, R>(limit: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const turns = new Turns(limit);
  return Promise.all(items.map((item) => turns.run(() => work(item))));
}
