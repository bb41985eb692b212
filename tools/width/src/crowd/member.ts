import { backoffMs, patienceMs, RECONNECT_BACKOFF, SYNC_BACKOFF } from '@parley/client';
import type { ErrorBody, ServerPayload, SyncResult } from '@parley/contracts';
import { TIMED_OUT } from '@parley/tool-load';
import { Link, type LinkOwner } from './link';
import { Replica } from './replica';
import { count, type Totals } from './totals';

export interface Seat {
  userId: string;
  sessionId: string;
  /** Addresses of realtime nodes: the first at first, the next one whenever a socket ends, as a load balancer would. */
  urls: string[];
  /** Whether it syncs after each `ready` and keeps up with its conversations. Without, it only counts. */
  follows: boolean;
}

/** What `position` is the first to name gets so long to come by itself, as with the SDK: its event is most likely on its way. */
const PATIENCE_MS = 1_000;
/** How long a socket may take to open; after each that took longer the next one gets more, as with the SDK. */
const OPEN_TIMEOUT_MS = 15_000;

/** A client opens its next socket a little before the server closes the draining one; so does the SDK. */
const SOONER = 0.8;

/** One client: comes back as the SDK does, and knows what it holds. */
export class Member implements LinkOwner {
  readonly replica = new Replica();
  private current?: Link;
  private opening?: Link;
  private timer?: NodeJS.Timeout;
  private attempt = 0;
  /** Sockets in a row that did not open in time. */
  private timeouts = 0;
  private address = 0;
  private lostAtMs?: number;
  private nextAckId = 1;
  private syncing?: number;
  /** Asks again when it fires, and not before: as the SDK, it keeps to what it was told. */
  private pause?: NodeJS.Timeout;
  private patience?: NodeJS.Timeout;
  private fruitless = 0;

  constructor(
    readonly seat: Seat,
    private readonly totals: () => Totals,
    private readonly tokenOf: (seat: Seat) => string,
  ) {}

  get isStanding(): boolean {
    return this.current !== undefined;
  }

  open(): void {
    if (this.opening) return;
    const { urls } = this.seat;
    this.opening = new Link(this, {
      url: urls[this.address % urls.length] as string,
      accessToken: this.tokenOf(this.seat),
      openTimeoutMs: patienceMs(this.timeouts, OPEN_TIMEOUT_MS),
    });
  }

  /** Asks without waiting for the answer. */
  say(name: string, payload: object): void {
    this.current?.emit(this.nextAckId++, name, JSON.stringify(payload));
  }

  close(): void {
    clearTimeout(this.timer);
    clearTimeout(this.patience);
    this.endPause();
    this.opening?.close();
    this.current?.close();
    this.opening = this.current = this.timer = undefined;
  }

  onEvent(link: Link, name: string, bytes: number, text: () => string): void {
    const event = (this.totals().events[name] ??= { count: 0, bytes: 0 });
    event.count += 1;
    event.bytes += bytes;
    if (name === 'ready') this.onReady(link, bytes, text);
    else if (name === 'session:closing')
      link.closing = JSON.parse(text()) as ServerPayload<'session:closing'>;
    else if (name === 'server:draining') this.onDraining(link, text());
    else if (this.seat.follows) this.follow(name, text);
  }

  onAnswer(link: Link, ackId: number, bytes: number, text: () => string): void {
    if (ackId !== this.syncing) return;
    this.syncing = undefined;
    const answer = JSON.parse(text()) as ({ ok: true } & SyncResult) | { ok: false; error: ErrorBody };
    let waitMs: number | undefined;
    if (answer.ok) {
      this.totals().syncs += 1;
      this.totals().syncBytes += bytes;
      waitMs = this.replica.onSynced(answer);
      this.fruitless = 0;
    } else {
      count(this.totals().syncRefusals, `${answer.error.code}: ${answer.error.message}`);
      const pauseMs = backoffMs(this.fruitless, SYNC_BACKOFF, Math.random);
      waitMs = Math.max(pauseMs, answer.error.retryAfterMs ?? 0);
      this.fruitless += 1;
    }
    if (waitMs !== undefined) this.syncAfter(waitMs);
  }

  onEnd(link: Link, reason: string): void {
    count(this.totals().ended, link.closing?.code ?? reason);
    if (link === this.opening) this.opening = undefined;
    if (reason.startsWith(TIMED_OUT)) this.timeouts += 1;
    if (link === this.current) {
      this.current = undefined;
      this.lostAtMs = performance.now();
    }
    if (!this.current && !this.opening) this.comeBack(link.closing?.retryAfterMs ?? 0);
  }

  private onReady(link: Link, bytes: number, text: () => string): void {
    const now = performance.now();
    const totals = this.totals();
    totals.readies += 1;
    totals.readyBytes += bytes;
    totals.readyBytesMax = Math.max(totals.readyBytesMax, bytes);
    totals.openMs.push(now - link.openedAtMs);
    if (this.lostAtMs !== undefined) totals.backMs.push(now - this.lostAtMs);
    this.lostAtMs = undefined;
    this.attempt = 0;
    this.timeouts = 0;
    const previous = this.current;
    this.current = link;
    this.opening = undefined;
    previous?.close();
    if (!this.seat.follows) return;
    this.replica.onReady(JSON.parse(text()) as ServerPayload<'ready'>);
    this.syncing = undefined;
    this.endPause();
    this.sync();
  }

  private onDraining(link: Link, text: string): void {
    if (link !== this.current) return;
    const { reconnectAfterMs } = JSON.parse(text) as ServerPayload<'server:draining'>;
    this.address += 1;
    this.timer = setTimeout(() => this.open(), reconnectAfterMs * SOONER);
  }

  private follow(name: string, text: () => string): void {
    if (name === 'message:created') {
      this.replica.onMessage(JSON.parse(text()) as ServerPayload<'message:created'>);
      if (this.replica.isBehind) this.sync();
    } else if (name === 'position') {
      this.replica.onPosition(JSON.parse(text()) as ServerPayload<'position'>);
      if (this.replica.isBehind) this.syncUnlessItComes();
    }
  }

  private syncUnlessItComes(): void {
    this.patience ??= setTimeout(() => {
      this.patience = undefined;
      if (this.replica.isBehind) this.sync();
    }, PATIENCE_MS);
  }

  private syncAfter(waitMs: number): void {
    this.endPause();
    this.pause = setTimeout(() => {
      this.pause = undefined;
      this.sync();
    }, waitMs);
  }

  private endPause(): void {
    clearTimeout(this.pause);
    this.pause = undefined;
  }

  private sync(): void {
    if (this.syncing !== undefined || this.pause !== undefined || !this.current) return;
    this.syncing = this.nextAckId;
    this.say('sync', this.replica.question());
  }

  private comeBack(retryAfterMs: number): void {
    const delayMs = Math.max(backoffMs(this.attempt, RECONNECT_BACKOFF, Math.random), retryAfterMs);
    this.attempt += 1;
    this.address += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), delayMs);
  }
}
