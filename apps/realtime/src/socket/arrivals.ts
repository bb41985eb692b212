/** More connections in a second than this, and a storm is on. */
const STORM = 50;
const WINDOW_MS = 1_000;

/** How many connections have come lately, each counting less with every moment. */
export class Arrivals {
  private count = 0;
  private atMs = 0;

  note(): void {
    const now = performance.now();
    this.count = this.countAt(now) + 1;
    this.atMs = now;
  }

  get areStorm(): boolean {
    return this.countAt(performance.now()) > STORM;
  }

  private countAt(now: number): number {
    return this.count * Math.exp((this.atMs - now) / WINDOW_MS);
  }
}
