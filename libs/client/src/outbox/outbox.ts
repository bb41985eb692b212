import { errorCatalog, ParleyError, type Message, type SendMessagePayload } from '@parley/contracts';
import { backoffMs } from '../backoff';
import { Emitter } from '../emitter';
import type { Environment } from '../environment';

const BACKOFF = { baseMs: 250, maxMs: 15_000 };
/** `internal` is worth a few repeats; the same request may fail the same way for ever. */
const INTERNAL_ATTEMPTS_MAX = 5;

/** A message on its way: what an application shows until the stored message takes its place. */
export interface OutgoingMessage {
  readonly request: SendMessagePayload;
  /** By the local clock, milliseconds since the epoch. */
  readonly createdAt: number;
  /** `refused` stays until it is retried or discarded. */
  readonly state: 'queued' | 'sending' | 'refused';
  readonly error?: { code: string; message: string };
}

interface Entry {
  sequence: number;
  request: SendMessagePayload;
  createdAt: number;
  state: OutgoingMessage['state'];
  error?: { code: string; message: string };
  attempts: number;
}

interface OutboxEvents {
  /** An entry came, went or changed its state. */
  changed: { conversationId: string; clientMessageId: string };
}

interface Settlement {
  promise: Promise<Message>;
  resolve(message: Message): void;
  reject(error: ParleyError): void;
}

function prefixOf(userId: string): string {
  return `outbox.${userId}.`;
}

/** Nothing where it is no message: one value that is damaged keeps nobody out. */
function readEntry(text: string | undefined): Entry | undefined {
  try {
    const entry = JSON.parse(text ?? 'null') as Partial<Entry> | null;
    return typeof entry?.request?.clientMessageId === 'string' ? (entry as Entry) : undefined;
  } catch {
    return undefined;
  }
}

function settlement(): Settlement {
  let resolve!: Settlement['resolve'];
  let reject!: Settlement['reject'];
  const promise = new Promise<Message>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever does not wait for the outcome sees it in the outbox.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/**
 * Unsent messages, kept in storage until the server has stored or finally refused them. Per conversation one is on its
 * way at a time, so their order holds over every retry; a repeat carries the same `clientMessageId`, so it is safe
 * whatever became of the first.
 */
export class Outbox extends Emitter<OutboxEvents> {
  private entries = new Map<string, Entry>();
  private settlements = new Map<string, Settlement>();
  private readonly waiting = new Map<string, unknown>();
  private sequence = 0;
  private online = false;
  private prefix = '';

  constructor(
    private readonly environment: Environment,
    private readonly transmit: (request: SendMessagePayload) => Promise<Message>,
  ) {
    super();
  }

  /** Takes up what storage holds for this user, oldest first. */
  async open(userId: string): Promise<void> {
    this.close();
    this.prefix = prefixOf(userId);
    const { storage } = this.environment;
    const keys = await storage.keys(this.prefix);
    const texts = await Promise.all(keys.map((key) => storage.get(key)));
    const entries = texts.map(readEntry).filter((entry) => entry !== undefined);
    entries.sort((a, b) => a.sequence - b.sequence);
    for (const entry of entries) {
      if (entry.state === 'sending') entry.state = 'queued';
      this.entries.set(entry.request.clientMessageId, entry);
      this.sequence = Math.max(this.sequence, entry.sequence);
      this.changed(entry);
    }
    this.settleAllBut(this.entries, 'Signed out before it was stored.');
  }

  /** Leaves everything in storage, to be taken up by the next `open`; whoever waits for a message goes on waiting. */
  close(): void {
    this.stop();
    this.entries = new Map();
  }

  /** Forgets what was kept for this user. */
  async erase(userId: string): Promise<void> {
    const { storage } = this.environment;
    const keys = await storage.keys(prefixOf(userId));
    await Promise.all(keys.map((key) => storage.delete(key)));
    this.settleAllBut(new Map(), 'Signed out, and forgotten.');
  }

  /** Adds a message and resolves or rejects with what finally became of it. It is on its way once it is stored here. */
  add(request: SendMessagePayload): Promise<Message> {
    this.sequence += 1;
    const now = this.environment.clock.now();
    const entry: Entry = { sequence: this.sequence, request, createdAt: now, state: 'queued', attempts: 0 };
    const { promise } = this.settlementOf(request.clientMessageId);
    this.entries.set(request.clientMessageId, entry);
    this.changed(entry);
    this.storeAndPump(entry);
    return promise;
  }

  /** In the order in which they were added. */
  pending(conversationId?: string): OutgoingMessage[] {
    return [...this.entries.values()]
      .filter((entry) => conversationId === undefined || entry.request.conversationId === conversationId)
      .map(({ request, createdAt, state, error }) => ({ request, createdAt, state, error }));
  }

  /** Sends a refused message again, after all that are queued in its conversation. */
  retry(clientMessageId: string): void {
    const entry = this.entries.get(clientMessageId);
    if (entry?.state !== 'refused') return;
    this.entries.delete(clientMessageId);
    this.sequence += 1;
    const again: Entry = {
      ...entry,
      sequence: this.sequence,
      state: 'queued',
      error: undefined,
      attempts: 0,
    };
    this.entries.set(clientMessageId, again);
    this.changed(again);
    this.storeAndPump(again);
  }

  /** Forgets a message that is not on its way just now. Says whether it did. */
  async discard(clientMessageId: string): Promise<boolean> {
    const entry = this.entries.get(clientMessageId);
    if (!entry || entry.state === 'sending') return false;
    await this.remove(entry);
    this.settlements.get(clientMessageId)?.reject(new ParleyError('conflict', 'Discarded.'));
    this.settlements.delete(clientMessageId);
    return true;
  }

  /** A stored message was seen, in an ack, an event or a sync: if it is one of these, it has arrived. */
  arrived(message: Message): void {
    const entry = this.entries.get(message.clientMessageId);
    if (!entry || entry.request.conversationId !== message.conversationId) return;
    void this.remove(entry);
    this.settlements.get(message.clientMessageId)?.resolve(message);
    this.settlements.delete(message.clientMessageId);
    this.pump(message.conversationId);
  }

  /** Sends whenever there is something to send. */
  start(): void {
    this.online = true;
    for (const conversationId of this.conversationIds()) this.pump(conversationId);
  }

  stop(): void {
    this.online = false;
    for (const handle of this.waiting.values()) this.environment.clock.clearTimeout(handle);
    this.waiting.clear();
  }

  private conversationIds(): Set<string> {
    return new Set([...this.entries.values()].map((entry) => entry.request.conversationId));
  }

  private pump(conversationId: string): void {
    if (!this.online || this.waiting.has(conversationId)) return;
    const open = [...this.entries.values()].filter(
      (entry) => entry.request.conversationId === conversationId && entry.state !== 'refused',
    );
    const [first] = open;
    if (!first || open.some((entry) => entry.state === 'sending')) return;
    void this.send(first);
  }

  private async send(entry: Entry): Promise<void> {
    entry.state = 'sending';
    this.changed(entry);
    try {
      this.arrived(await this.transmit(entry.request));
    } catch (error) {
      // Arrived by an event meanwhile, or closed.
      if (this.entries.get(entry.request.clientMessageId) !== entry) return;
      const refusal = error instanceof ParleyError ? error : new ParleyError('internal', String(error));
      entry.attempts += 1;
      if (this.isFinal(refusal, entry)) await this.refuse(entry, refusal);
      else this.again(entry, refusal);
    }
  }

  private isFinal(error: ParleyError, entry: Entry): boolean {
    if (error.code === 'unauthenticated' || error.code === 'token_expired') return false;
    if (error.code === 'internal') return entry.attempts >= INTERNAL_ATTEMPTS_MAX;
    return !errorCatalog[error.code].retry;
  }

  private again(entry: Entry, error: ParleyError): void {
    entry.state = 'queued';
    this.changed(entry);
    const { conversationId } = entry.request;
    if (!this.online) return;
    const { clock, random } = this.environment;
    const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(entry.attempts - 1, BACKOFF, random));
    const handle = clock.setTimeout(() => {
      this.waiting.delete(conversationId);
      this.pump(conversationId);
    }, waitMs);
    this.waiting.set(conversationId, handle);
  }

  private async refuse(entry: Entry, error: ParleyError): Promise<void> {
    entry.state = 'refused';
    entry.error = { code: error.code, message: error.message };
    this.changed(entry);
    this.settlements.get(entry.request.clientMessageId)?.reject(error);
    this.settlements.delete(entry.request.clientMessageId);
    await this.store(entry).catch((cause: unknown) => {
      this.environment.logger.warn('A refused message could not be kept.', { error: String(cause) });
    });
    this.pump(entry.request.conversationId);
  }

  private storeAndPump(entry: Entry): void {
    this.store(entry).then(
      () => this.pump(entry.request.conversationId),
      (error: unknown) =>
        this.refuse(entry, new ParleyError('internal', `Could not be kept: ${String(error)}`)),
    );
  }

  /** Of these nothing will be heard any more. */
  private settleAllBut(entries: ReadonlyMap<string, Entry>, reason: string): void {
    for (const [clientMessageId, { reject }] of this.settlements) {
      if (entries.has(clientMessageId)) continue;
      this.settlements.delete(clientMessageId);
      reject(new ParleyError('unauthenticated', reason));
    }
  }

  private settlementOf(clientMessageId: string): Settlement {
    const known = this.settlements.get(clientMessageId) ?? settlement();
    this.settlements.set(clientMessageId, known);
    return known;
  }

  private key(entry: Entry): string {
    return this.prefix + entry.request.clientMessageId;
  }

  private store(entry: Entry): Promise<void> {
    return this.environment.storage.set(this.key(entry), JSON.stringify(entry));
  }

  private async remove(entry: Entry): Promise<void> {
    this.entries.delete(entry.request.clientMessageId);
    this.changed(entry);
    await this.environment.storage.delete(this.key(entry)).catch((error: unknown) => {
      // It would be sent once more after a restart, which changes nothing.
      this.environment.logger.warn('A sent message could not be removed.', { error: String(error) });
    });
  }

  private changed(entry: Entry): void {
    const { conversationId, clientMessageId } = entry.request;
    this.emit('changed', { conversationId, clientMessageId });
  }
}
