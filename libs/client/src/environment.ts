/** Timers and time, so that tests can own them. Handles are opaque. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/**
 * Where the client keeps tokens, unsent messages and, if asked, its state. A `set` that resolved must survive a crash
 * if the store is durable at all; keys are short ASCII, values are JSON text.
 */
export interface KeyValueStorage {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** Every key that begins with `prefix`, in any order. */
  keys(prefix: string): Promise<string[]>;
}

/** Forgets everything with the process. */
export class MemoryStorage implements KeyValueStorage {
  private readonly values = new Map<string, string>();

  get(key: string): Promise<string | undefined> {
    return Promise.resolve(this.values.get(key));
  }

  set(key: string, value: string): Promise<void> {
    this.values.set(key, value);
    return Promise.resolve();
  }

  delete(key: string): Promise<void> {
    this.values.delete(key);
    return Promise.resolve();
  }

  keys(prefix: string): Promise<string[]> {
    return Promise.resolve([...this.values.keys()].filter((key) => key.startsWith(prefix)));
  }
}

/** The part of the browser's `Storage` that is needed. */
export interface WebStorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Keeps the client's values in `localStorage` or `sessionStorage`, each key behind `prefix`. */
export class WebStorage implements KeyValueStorage {
  constructor(
    private readonly storage: WebStorageLike,
    private readonly prefix = 'parley.',
  ) {}

  async get(key: string): Promise<string | undefined> {
    return this.storage.getItem(this.prefix + key) ?? undefined;
  }

  async set(key: string, value: string): Promise<void> {
    this.storage.setItem(this.prefix + key, value);
  }

  async delete(key: string): Promise<void> {
    this.storage.removeItem(this.prefix + key);
  }

  async keys(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for (let index = 0; index < this.storage.length; index += 1) {
      const key = this.storage.key(index);
      if (key?.startsWith(this.prefix + prefix)) found.push(key.slice(this.prefix.length));
    }
    return found;
  }
}

/** Told about what the client does on its own; never given bodies or tokens. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export const silentLogger: Logger = { debug: () => undefined, warn: () => undefined };

/** What the rest of the client takes from its surroundings. */
export interface Environment {
  clock: Clock;
  storage: KeyValueStorage;
  logger: Logger;
  /** Uniform in [0, 1). */
  random(): number;
}
