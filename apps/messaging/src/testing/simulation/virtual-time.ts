/** A seeded source of chance (mulberry32): the same seed gives the same run. */
export class Chance {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  is(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

interface Step {
  at: number;
  order: number;
  run(): void;
}

/** Time that moves only from one scheduled step to the next. */
export class VirtualTime {
  now = 0;
  private order = 0;
  private steps: Step[] = [];

  after(ms: number, run: () => void): void {
    const step = { at: this.now + ms, order: this.order++, run };
    // Binary insertion keeps the list sorted by time, then by order of scheduling.
    let low = 0;
    let high = this.steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.steps[middle]!;
      if (other.at < step.at || (other.at === step.at && other.order < step.order)) low = middle + 1;
      else high = middle;
    }
    this.steps.splice(low, 0, step);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  every(ms: number, until: () => boolean, run: () => void): void {
    this.after(ms, () => {
      if (until()) return;
      run();
      this.every(ms, until, run);
    });
  }

  /** Runs steps until the condition holds. Fails when nothing is left to happen, or after too long. */
  async runUntil(condition: () => boolean, limitMs: number): Promise<void> {
    while (!condition()) {
      const step = this.steps.shift();
      if (!step) throw new Error(`nothing is left to happen at ${this.now} ms`);
      if (step.at > limitMs) throw new Error(`still not there after ${limitMs} ms`);
      this.now = step.at;
      step.run();
      // What the step set in motion (promises, immediates) ends before time moves on.
      for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    }
  }
}
