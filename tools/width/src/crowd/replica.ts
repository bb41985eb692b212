import type { ServerPayload, SyncPayload, SyncResult } from '@parley/contracts';

interface Held {
  version: number;
  /** The highest version that anybody told of. */
  seen: number;
  messages: number;
  /** Versions of messages that came before those below them; they wait, as in the SDK. Made when one does. */
  early?: Set<number>;
}

/** Where a member stands in its conversations, by the rules of the contract, without keeping what they say. */
export class Replica {
  private epoch: string | null = null;
  private accountCursor: string | null = null;
  private readonly held = new Map<string, Held>();

  /** Messages held of a conversation, each counted once. */
  messagesIn(conversationId: string): number {
    return this.held.get(conversationId)?.messages ?? 0;
  }

  get isBehind(): boolean {
    for (const { version, seen } of this.held.values()) if (version < seen) return true;
    return false;
  }

  onReady({ epoch, accountCursor, conversations }: ServerPayload<'ready'>): void {
    this.epoch = epoch;
    this.accountCursor ??= accountCursor;
    for (const { id, version } of conversations) this.see(id, version);
  }

  onMessage({ conversationId, version }: ServerPayload<'message:created'>): void {
    const held = this.see(conversationId, version);
    if (version <= held.version) return;
    held.early ??= new Set();
    held.early.add(version);
    takeEarly(held);
  }

  onPosition({ versions }: ServerPayload<'position'>): void {
    for (const [id, version] of Object.entries(versions)) this.see(id, version);
  }

  /** What to ask `sync`. */
  question(): SyncPayload {
    const versions = Object.fromEntries([...this.held].map(([id, { version }]) => [id, version]));
    return { epoch: this.epoch, accountCursor: this.accountCursor, versions };
  }

  /** Applies a page. Returns in how many milliseconds to ask again; undefined when nothing is missing. */
  onSynced({ account, conversations }: SyncResult): number | undefined {
    this.accountCursor = account.cursor;
    for (const change of account.changes)
      if (change.state === 'joined') this.see(change.conversationId, change.conversation.version);
    let waitMs: number | undefined;
    for (const page of conversations) {
      const held = this.see(page.id, page.version);
      // A page may hold what came while it was read; above its own version that comes again, as an event or in a page.
      const fresh = page.messages.filter(({ version }) => version > held.version && version <= page.version);
      held.messages += fresh.length;
      held.version = Math.max(held.version, page.version);
      takeEarly(held);
      if (page.more) waitMs = Math.max(waitMs ?? 0, page.retryAfterMs ?? 0);
    }
    return waitMs ?? (account.more || this.isBehind ? 0 : undefined);
  }

  private see(id: string, version: number): Held {
    const held = this.held.get(id) ?? { version: 0, seen: 0, messages: 0 };
    this.held.set(id, held);
    held.seen = Math.max(held.seen, version);
    return held;
  }
}

/** Applies what follows on the version, and forgets what a page has brought. */
function takeEarly(held: Held): void {
  const { early } = held;
  if (!early) return;
  for (const version of early) if (version <= held.version) early.delete(version);
  while (early.delete(held.version + 1)) {
    held.version += 1;
    held.messages += 1;
  }
  if (early.size === 0) delete held.early;
}
