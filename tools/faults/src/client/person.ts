import { setTimeout as delay } from 'node:timers/promises';
import type {
  Conversation,
  Member,
  Message,
  PresenceEntry,
  PresenceStatus,
  ServerEvent,
  ServerPayload,
  SyncResult,
} from '@parley/contracts';
import { digestOf } from '../checker/digest';
import type { SocketTrace, TraceEntry } from '../checker/observations';
import { type Answer, Connection } from './connection';
import { type DurableEvent, Replica } from './replica';

const DURABLE = new Set<string>([
  'message:created',
  'message:updated',
  'message:deleted',
  'reaction:changed',
  'conversation:created',
  'conversation:updated',
  'conversation:removed',
  'member:changed',
] satisfies DurableEvent[]);
const SYNC_RETRY_MS = 300;

/** One person with one client: a connection, a replica that follows by itself, and a record of all that came in. */
export class Person {
  readonly replica: Replica;
  readonly traces = new Map<string, SocketTrace>();
  private readonly connection: Connection;
  /** As presence has told it on the present connection. */
  readonly presence = new Map<string, PresenceStatus>();
  /** Changes of presence told so far, over all connections, by whom they concern. */
  readonly presenceTold = new Map<string, number>();
  /** Connections so far. */
  connections = 0;
  /** Whose presence it watches. */
  private watched: readonly string[] = [];
  private node = '';
  /** Who changed since the question that is under way: the change may be handled before the older answer. */
  private readonly changed = new Set<string>();
  private syncing = false;
  private closed = false;

  constructor(
    readonly userId: string,
    /** Signs a fresh access token. */
    readonly newToken: () => string,
    url: string,
  ) {
    this.replica = new Replica(userId);
    this.connection = new Connection(userId.slice(-6), url, newToken, {
      onEvent: (socketId, name, payload) => this.onEvent(socketId, name, payload),
    });
  }

  get isConnected(): boolean {
    return this.connection.isConnected;
  }

  get socketId(): string {
    return this.connection.socketId;
  }

  /** Connected, and with nothing left to fetch as far as it knows. */
  get isCalm(): boolean {
    return this.isConnected && !this.syncing && !this.replica.needsSync;
  }

  /** Sends a write about a message; a success tells the replica which version to expect. */
  async write(event: string, payload: object): Promise<Answer<{ message: Message }>> {
    const answer = await this.connection.ask<{ message: Message }>(event, payload);
    if (answer.ok) {
      const { conversationId, version } = answer.message;
      // Somebody who was removed meanwhile gets his answer, but has nothing to sync.
      if (this.replica.versionOf(conversationId) !== undefined) this.replica.hear(conversationId, version);
      this.follow();
    }
    return answer;
  }

  /** Tells others that this person is typing; nobody minds when it fails. */
  async type(conversationId: string): Promise<void> {
    await this.connection.ask('typing:start', { conversationId });
  }

  /** Sets how others see this person. */
  async show(status: 'away' | 'dnd'): Promise<void> {
    await this.connection.ask('presence:set', { status });
  }

  /** Watches these from now on, on every connection. */
  async watch(userIds: readonly string[]): Promise<void> {
    this.watched = userIds;
    while (!this.closed && this.isConnected && this.watched.length > 0) {
      const { connections } = this;
      this.changed.clear();
      const answer = await this.connection.ask<{ items: PresenceEntry[] }>('presence:watch', { userIds });
      if (connections !== this.connections) return;
      if (answer.ok) {
        for (const { userId, status } of answer.items)
          if (!this.changed.has(userId)) this.presence.set(userId, status);
        return;
      }
      await delay(answer.error.retryAfterMs ?? SYNC_RETRY_MS);
    }
  }

  /** Goes away without a word, as somebody does whose machine is switched off, until `comeBack`. */
  leave(): void {
    this.connection.leave();
  }

  comeBack(): void {
    this.connection.comeBackNow();
  }

  close(): void {
    this.closed = true;
    this.connection.close();
  }

  private onEvent(socketId: string, name: string, payload: unknown): void {
    if (name === 'ready') {
      this.begin(payload as ServerPayload<'ready'>);
    } else if (name === 'presence:changed') {
      for (const { userId, status } of (payload as ServerPayload<'presence:changed'>).items) {
        this.presence.set(userId, status);
        this.changed.add(userId);
        this.presenceTold.set(userId, (this.presenceTold.get(userId) ?? 0) + 1);
      }
    } else if (name === 'account:changed') {
      this.replica.accountChanged();
    } else if (name === 'position') {
      for (const [id, version] of Object.entries((payload as ServerPayload<'position'>).versions))
        this.replica.hear(id, version);
    } else if (DURABLE.has(name)) {
      this.record(socketId, entryOf(name as DurableEvent, payload as ServerPayload<DurableEvent>));
      this.replica.event(name as DurableEvent, payload as ServerPayload<DurableEvent>);
    } else if (typeof (payload as { conversationId?: unknown }).conversationId === 'string') {
      const { conversationId } = payload as { conversationId: string };
      this.record(socketId, { kind: 'hint', name: name as ServerEvent, conversationId });
    }
    this.follow();
  }

  private begin(payload: ServerPayload<'ready'>): void {
    this.node = payload.node;
    this.connections++;
    this.presence.clear();
    this.replica.ready(payload);
    void this.watch(this.watched);
  }

  /** Syncs until nothing is missing. Starts by itself after whatever may have left something to fetch. */
  private follow(): void {
    if (this.syncing || this.closed || !this.replica.needsSync) return;
    this.syncing = true;
    void this.sync().finally(() => {
      this.syncing = false;
      if (this.isConnected) this.follow();
    });
  }

  private async sync(): Promise<void> {
    while (this.replica.needsSync && this.isConnected && !this.closed) {
      const { socketId } = this;
      const request = this.replica.syncRequest();
      const answer = await this.connection.ask<SyncResult>('sync', request);
      if (!answer.ok) {
        this.replica.syncFailed();
        await delay(answer.error.retryAfterMs ?? SYNC_RETRY_MS);
        continue;
      }
      const waitMs = this.replica.synced(answer, request);
      for (const { id } of answer.conversations) {
        const version = this.replica.versionOf(id);
        if (version !== undefined) this.record(socketId, { kind: 'stand', conversationId: id, version });
      }
      if (waitMs > 0) await delay(waitMs);
    }
  }

  private record(socketId: string, entry: TraceEntry): void {
    const trace = this.traces.get(socketId) ?? {
      socketId,
      userId: this.userId,
      node: this.node,
      entries: [],
    };
    this.traces.set(socketId, trace);
    trace.entries.push(entry);
  }
}

function entryOf(name: DurableEvent, payload: ServerPayload<DurableEvent>): TraceEntry {
  const { conversationId, version } = payload;
  return { kind: 'event', name, conversationId, version, digest: subjectDigest(payload) };
}

/** Fingerprint of what an event or a row of the log says: the message, the membership or the conversation. */
export function subjectDigest(said: object): string {
  const about: {
    message?: Message;
    change?: string;
    member?: Member;
    conversation?: Conversation;
  } = said;
  if (about.message) return digestOf(about.message);
  if (!about.member) return digestOf(about.conversation ?? null);
  const { userId, role, joinedAt } = about.member;
  return digestOf({ change: about.change, userId, role, joinedAt });
}
