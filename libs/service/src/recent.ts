/**
 * A bounded map that forgets what was not used lately: two generations, the older of which is dropped whole when the
 * younger is full. At least the last `generationSize` keys used are kept, at most twice as many. Unlike a strict LRU it
 * deletes no single entries to make room, which in a Map costs more than keeping them: whoever looks for the oldest passes the
 * places of all that were deleted before it.
 */
export class RecentMap<K, V> {
  private younger = new Map<K, V>();
  private older = new Map<K, V>();

  constructor(private readonly generationSize: number) {}

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
    if (this.younger.size < this.generationSize) return;
    this.older = this.younger;
    this.younger = new Map();
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
  }
}
