/**
 * Runs `step` again and again, `waitMs` after each end, until stopped. `step` handles its own failures. Never two at once.
 */
export class Periodic {
  private timer?: NodeJS.Timeout;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly waitMs: number,
    private readonly step: () => Promise<void>,
  ) {}

  start(): void {
    this.timer = setTimeout(() => {
      this.running = this.step().finally(() => {
        if (!this.stopped) this.start();
      });
    }, this.waitMs);
  }

  /** Resolves once the step under way has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }
}
