/** Hands on together what comes in one turn of the event loop, in its order, in batches of at most `max`. */
export class TurnBatch<T> {
  private items: T[] = [];

  /** @param handle never rejects; batches are not waited for */
  constructor(
    private readonly max: number,
    private readonly handle: (batch: T[]) => Promise<void>,
  ) {}

  add(item: T): void {
    if (this.items.length === 0) setImmediate(() => this.flush());
    this.items.push(item);
  }

  private flush(): void {
    const { items } = this;
    this.items = [];
    for (let i = 0; i < items.length; i += this.max) void this.handle(items.slice(i, i + this.max));
  }
}
