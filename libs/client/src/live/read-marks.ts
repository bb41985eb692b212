import { errorCatalog, ParleyError } from '@parley/contracts';
import { backoffMs } from '../backoff';
import type { Environment } from '../environment';

const BACKOFF = { baseMs: 500, maxMs: 15_000 };

type Send = (conversationId: string, number: number) => Promise<unknown>;

/**
 * Tells the server how far the user has read: the newest mark of each conversation, one at a time, until it was
 * accepted. What is lost with the process costs a badge that comes back, so nothing is stored.
 */
export class ReadMarks {
  private readonly wanted = new Map<string, number>();
  private readonly busy = new Set<string>();
  /** Ends each wait between two attempts. */
  private readonly waking = new Set<() => void>();
  private online = false;

  constructor(
    private readonly environment: Environment,
    private readonly send: Send,
  ) {}

  mark(conversationId: string, number: number): void {
    this.wanted.set(conversationId, Math.max(number, this.wanted.get(conversationId) ?? 0));
    void this.flush(conversationId);
  }

  start(): void {
    this.online = true;
    for (const conversationId of this.wanted.keys()) void this.flush(conversationId);
  }

  stop(): void {
    this.online = false;
    for (const wake of this.waking) wake();
  }

  clear(): void {
    this.wanted.clear();
  }

  private async flush(conversationId: string): Promise<void> {
    if (this.busy.has(conversationId)) return;
    this.busy.add(conversationId);
    for (let attempt = 0; this.online;) {
      const number = this.wanted.get(conversationId);
      if (number === undefined) break;
      try {
        await this.send(conversationId, number);
        attempt = 0;
        if (this.wanted.get(conversationId) === number) this.wanted.delete(conversationId);
      } catch (error) {
        if (error instanceof ParleyError && !errorCatalog[error.code].retry) {
          // Left, or deleted: nothing to mark any more.
          this.wanted.delete(conversationId);
          break;
        }
        await this.pause(attempt, error);
        attempt += 1;
      }
    }
    this.busy.delete(conversationId);
  }

  private pause(attempt: number, error: unknown): Promise<void> {
    const { clock, random } = this.environment;
    const saidMs = error instanceof ParleyError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(saidMs, backoffMs(attempt, BACKOFF, random));
    return new Promise((resolve) => {
      const wake = () => {
        clock.clearTimeout(handle);
        this.waking.delete(wake);
        resolve();
      };
      const handle = clock.setTimeout(wake, waitMs);
      this.waking.add(wake);
    });
  }
}
