export interface RecentMapOptions<K, V> {
  /** What a value counts; 1 where it is left out. What it grows by while it is here is told by `grew`. */
  weigh?(value: V): number;
  /** Keys that must stay, asked for when a generation is dropped. They are few, or the bound is none. */
  held?(): Iterable<K>;
}

/**
 * A bounded map that forgets what was not used lately: two generations, the older of which is dropped whole when the
 * younger is full. At least the last keys used that together weigh a generation are kept, at most twice as many. Unlike a strict
 * LRU it deletes no single entries to make room, which in a Map costs more than keeping them: whoever looks for the oldest passes
 * the places of all that were deleted before it.
 */
export class RecentMap<K, V> {
  private younger = new Map<K, V>();
  private older = new Map<K, V>();
  /** Of the younger generation, where values are weighed. What was set again counts again: that is rare, and errs on the safe side. */
  private weight = 0;
  private olderWeight = 0;

  constructor(
    private readonly generationWeight: number,
    private readonly options: RecentMapOptions<K, V> = {},
  ) {}

  get(key: K): V | undefined {
    const value = this.younger.get(key);
    if (value !== undefined) return value;
    const aged = this.older.get(key);
    if (aged !== undefined) this.set(key, aged);
    return aged;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    this.younger.set(key, value);
    if (this.options.weigh) this.grew(this.options.weigh(value));
    else if (this.younger.size >= this.generationWeight) this.age();
  }

  /** A value that was used just now weighs so much more. */
  grew(by: number): void {
    this.weight += by;
    if (this.weight >= this.generationWeight) this.age();
  }

  /** What all that is here weighs, at most; 0 where values are not weighed. */
  get weighs(): number {
    return this.weight + this.olderWeight;
  }

  delete(key: K): void {
    this.younger.delete(key);
    this.older.delete(key);
  }

  /** In no order that means anything; one that was used lately may come twice. Keys may be deleted on the way. */
  *keys(): IterableIterator<K> {
    yield* this.younger.keys();
    yield* this.older.keys();
  }

  clear(): void {
    this.younger.clear();
    this.older.clear();
    this.weight = this.olderWeight = 0;
  }

  private age(): void {
    const dropped = this.older;
    this.older = this.younger;
    this.younger = new Map();
    this.olderWeight = this.weight;
    this.weight = 0;
    for (const key of this.options.held?.() ?? []) {
      const value = dropped.get(key);
      if (value !== undefined && !this.older.has(key)) this.older.set(key, value);
    }
  }
}
