import { ParleyError, type SyncPayload, type SyncResult } from '@parley/contracts';
import { backoffMs, SYNC_BACKOFF } from '../backoff';
import { Emitter } from '../emitter';
import type { Environment } from '../environment';
import type { Store } from './store';

/**
 * Asks `sync`, one call at a time, until nothing is missing. Runs when it is started and whenever the store says that it
 * is behind; a call that failed or brought nothing is repeated with growing pauses.
 */
export class Syncer extends Emitter<{ /** Nothing is missing. */ current: Record<string, never> }> {
  private running = false;
  private online = false;
  private fruitless = 0;
  /** Runs again when it fires; only what is not due yet may become due before that. */
  private timer?: { handle: unknown; isBackoff: boolean };

  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
    private readonly ask: (payload: SyncPayload) => Promise<SyncResult>,
  ) {
    super();
    store.on('behind', () => this.run());
  }

  /** Whether nothing is known to be missing, as far as anybody was asked. */
  get isCurrent(): boolean {
    return this.online && !this.running && this.timer === undefined;
  }

  start(): void {
    this.online = true;
    this.fruitless = 0;
    this.run();
  }

  /** While there is nobody to ask. */
  pause(): void {
    this.online = false;
    this.clearTimer();
  }

  private run(): void {
    if (this.running || !this.online || this.timer?.isBackoff) return;
    this.clearTimer();
    this.running = true;
    void this.loop();
  }

  private async loop(): Promise<void> {
    // What arrives within one turn is asked for together.
    await Promise.resolve();
    while (this.online) {
      const next = this.store.nextSync(this.environment.clock.now());
      if (!next) {
        this.running = false;
        this.emit('current', {});
        return;
      }
      if ('waitMs' in next) return this.later(next.waitMs, false);
      try {
        const result = await this.ask(next.payload);
        const progress = this.store.applySync(next, result, this.environment.clock.now());
        this.fruitless = progress ? 0 : this.fruitless + 1;
      } catch (error) {
        this.environment.logger.debug('Could not sync.', { error: String(error) });
        this.fruitless += 1;
        const waitMs = error instanceof ParleyError ? (error.retryAfterMs ?? 0) : 0;
        return this.later(Math.max(waitMs, this.pauseMs()));
      }
      if (this.fruitless > 0) return this.later(this.pauseMs());
    }
    this.running = false;
  }

  private pauseMs(): number {
    return backoffMs(this.fruitless - 1, SYNC_BACKOFF, this.environment.random);
  }

  private later(waitMs: number, isBackoff = true): void {
    this.running = false;
    if (!this.online) return;
    const handle = this.environment.clock.setTimeout(() => {
      this.timer = undefined;
      this.run();
    }, waitMs);
    this.timer = { handle, isBackoff };
  }

  private clearTimer(): void {
    this.environment.clock.clearTimeout(this.timer?.handle);
    this.timer = undefined;
  }
}
