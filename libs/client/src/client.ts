import type {
  ClientPayload,
  CreateConversationBody,
  Conversation,
  EditMessageBody,
  LoginBody,
  Message,
  Refreshed,
  RegisterBody,
  SendMessagePayload,
  ServerPayload,
} from '@parley/contracts';
import { ParleyError, routes } from '@parley/contracts';
import {
  MemoryStorage,
  silentLogger,
  systemClock,
  type Clock,
  type Environment,
  type KeyValueStorage,
  type Logger,
} from './environment';
import { createApi, type Api } from './http/api';
import { HttpTransport, type FetchLike } from './http/transport';
import { uuidv7 } from './ids';
import { Outbox, type OutgoingMessage } from './outbox/outbox';
import { Realtime } from './realtime/realtime';
import { Session, type Exclusive, type SessionUser } from './session/session';
import { isDurable, type DurableEvent } from './store/durable-event';
import { Store } from './store/store';
import { Syncer } from './store/syncer';

export interface ParleyClientOptions {
  /** Address of the gateway, for example `http://localhost:8000`. */
  url: string;
  /** Tokens, unsent messages. Forgotten with the process unless given. */
  storage?: KeyValueStorage;
  fetch?: FetchLike;
  /** Name of this device in the list of sessions. */
  device?: string;
  logger?: Logger;
  clock?: Clock;
  random?: () => number;
  /** How the socket proves who it is; a ticket where headers cannot be set, which is the default in browsers. */
  credentials?: 'header' | 'ticket';
  /** `all` keeps every conversation's messages up to date; `opened` only those that `open` was called for. */
  hold?: 'all' | 'opened';
  /** Messages kept per conversation; older ones are loaded again when asked for. */
  messagesMax?: number;
  httpTimeoutMs?: number;
  ackTimeoutMs?: number;
  readyTimeoutMs?: number;
}

export type NewMessage = Omit<SendMessagePayload, 'clientMessageId'> & { clientMessageId?: string };

/** A message that was handed over: `stored` tells what became of it, whenever that is known. */
export interface SendHandle {
  clientMessageId: string;
  /** Rejects with a ParleyError only if the server finally refused, never for want of a connection. */
  stored: Promise<Message>;
}

const isBrowser = 'document' in globalThis;

/** A tab's lock where the browser has locks; elsewhere a storage belongs to one client. */
const exclusive: Exclusive = (name, task) => {
  type Locks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };
  const { locks } = ((globalThis as { navigator?: object }).navigator ?? {}) as { locks?: Locks };
  return isBrowser && locks ? locks.request(name, task) : task();
};

/** Everything a program needs to take part: sign in, connect, send, and see what others do. */
export class ParleyClient {
  readonly api: Api;
  readonly session: Session;
  readonly realtime: Realtime;
  readonly store: Store;
  readonly outbox: Outbox;
  private readonly syncer: Syncer;
  private readonly environment: Environment;
  private readonly device?: string;

  constructor(options: ParleyClientOptions) {
    this.environment = {
      clock: options.clock ?? systemClock,
      storage: options.storage ?? new MemoryStorage(),
      logger: options.logger ?? silentLogger,
      random: options.random ?? Math.random,
    };
    this.device = options.device;
    const fetchLike = options.fetch ?? ((url, init) => fetch(url, init));
    const transport = new HttpTransport(options.url, fetchLike, options.httpTimeoutMs ?? 15_000);
    this.session = new Session(
      this.environment,
      async (refreshToken) => {
        const answer = await transport.send(routes.refreshTokens, { body: { refreshToken } });
        return (answer as Refreshed).tokens;
      },
      exclusive,
    );
    this.api = createApi(transport, this.session, () => this.newId());
    this.realtime = new Realtime(this.environment, this.session, {
      url: options.url,
      credentials: options.credentials ?? (isBrowser ? 'ticket' : 'header'),
      ticket: async () => (await this.api.createRealtimeTicket()).ticket,
      readyTimeoutMs: options.readyTimeoutMs ?? 15_000,
      ackTimeoutMs: options.ackTimeoutMs ?? 10_000,
    });
    this.store = new Store((options.hold ?? 'all') === 'all', options.messagesMax ?? 2_000);
    this.syncer = new Syncer(this.environment, this.store, (payload) =>
      this.realtime.request('sync', payload),
    );
    this.outbox = new Outbox(this.environment, (request) => this.transmit(request));
    this.wire();
  }

  get user(): SessionUser | undefined {
    return this.session.user;
  }

  async register(body: RegisterBody): Promise<SessionUser> {
    const answer = await this.api.register({ body });
    await this.session.begin(answer);
    await this.outbox.open(answer.user.id);
    return answer.user;
  }

  async login(body: LoginBody): Promise<SessionUser> {
    const answer = await this.api.login({ body: { device: this.device, ...body } });
    await this.session.begin(answer);
    await this.outbox.open(answer.user.id);
    return answer.user;
  }

  /** Takes up the session that storage holds. Says whether there is one. */
  async restore(): Promise<boolean> {
    if (!(await this.session.restore())) return false;
    await this.outbox.open(this.session.user!.id);
    return true;
  }

  /** Ends the session everywhere. Signed out here even if the server could not be told. */
  async logout(): Promise<void> {
    try {
      await this.api.logout();
    } finally {
      await this.session.end('logout');
    }
  }

  /**
   * Connects, and stays connected until `disconnect`. Resolves at the first `ready`; rejects if the server does not want
   * this client, not for want of a network.
   */
  async connect(): Promise<void> {
    if (this.realtime.ready) return;
    const outcome = this.realtime.once('status', ({ state }) => state === 'ready' || state === 'stopped');
    this.realtime.start();
    const status = await outcome;
    if (status.state === 'stopped') throw new ParleyError('unauthenticated', status.reason ?? 'Stopped.');
  }

  /** Leaves the socket; unsent messages stay. */
  disconnect(): void {
    this.realtime.stop();
  }

  /** Leaves the socket and every timer, so that the process can end. The session stays in storage. */
  close(): void {
    this.disconnect();
    this.session.stop();
  }

  /** Resolves once nothing is known to be missing. */
  async synced(): Promise<void> {
    if (!this.syncer.isCurrent) await this.syncer.once('current');
  }

  /** Shows up in `outbox` at once and is sent as soon as may be, over disconnections and restarts. */
  send(message: NewMessage): SendHandle {
    const request = { ...message, clientMessageId: message.clientMessageId ?? this.newId() };
    return { clientMessageId: request.clientMessageId, stored: this.outbox.add(request) };
  }

  /** What a conversation shows: stored messages by number, then what is on its way. */
  timeline(conversationId: string): { messages: Message[]; outgoing: OutgoingMessage[] } {
    return { messages: this.store.messages(conversationId), outgoing: this.outbox.pending(conversationId) };
  }

  edit(message: Pick<Message, 'conversationId' | 'id'>, change: EditMessageBody): Promise<Message> {
    const { conversationId, id: messageId } = message;
    return this.write('message:edit', { conversationId, messageId, ...change });
  }

  delete({ conversationId, id: messageId }: Pick<Message, 'conversationId' | 'id'>): Promise<Message> {
    return this.write('message:delete', { conversationId, messageId });
  }

  react(
    { conversationId, id: messageId }: Pick<Message, 'conversationId' | 'id'>,
    emoji: string,
  ): Promise<Message> {
    return this.write('reaction:add', { conversationId, messageId, emoji });
  }

  unreact(
    { conversationId, id: messageId }: Pick<Message, 'conversationId' | 'id'>,
    emoji: string,
  ): Promise<Message> {
    return this.write('reaction:remove', { conversationId, messageId, emoji });
  }

  /** The caller's direct conversation with somebody, made if there is none. */
  direct(userId: string): Promise<Conversation> {
    return this.create({ type: 'direct', memberIds: [userId] });
  }

  /** `idempotencyKey` makes repeating safe after the process itself was lost; one is made if not given. */
  async create(body: CreateConversationBody, idempotencyKey = this.newId()): Promise<Conversation> {
    const { conversation } = await this.api.createConversation({ body, idempotencyKey });
    this.store.applyCreated(conversation);
    return conversation;
  }

  async join(conversationId: string): Promise<Conversation> {
    const { conversation } = await this.api.joinChannel({ params: { conversationId } });
    this.store.applyCreated(conversation);
    return conversation;
  }

  /** Keeps this conversation's messages up to date from now on; see the option `hold`. */
  open(conversationId: string): void {
    this.store.hold(conversationId);
  }

  private async transmit(request: SendMessagePayload): Promise<Message> {
    const { message } = await this.realtime.request('message:send', request);
    this.store.applyAck(message);
    return message;
  }

  private async write<E extends 'message:edit' | 'message:delete' | 'reaction:add' | 'reaction:remove'>(
    event: E,
    payload: ClientPayload<E>,
  ): Promise<Message> {
    const { message } = await this.realtime.request(event, payload);
    this.store.applyAck(message);
    return message;
  }

  private newId(): string {
    return uuidv7(this.environment.clock.now());
  }

  private wire(): void {
    this.realtime.on('any', ({ name, payload }) => {
      if (isDurable(name)) this.store.applyEvent({ name, payload } as DurableEvent);
    });
    this.realtime.on('ready', (ready) => this.begin(ready));
    this.realtime.on('conversation:removed', ({ conversationId }) => this.store.applyRemoved(conversationId));
    this.realtime.on('account:changed', () => this.store.applyAccountChanged());
    this.realtime.on('position', ({ versions }) => this.store.applyPosition(versions));
    this.realtime.on('status', ({ state }) => {
      if (state === 'ready') return;
      this.outbox.stop();
      this.syncer.pause();
    });
    this.store.on('message', ({ message }) => {
      if (message.senderId === this.store.userId) this.outbox.arrived(message);
    });
    this.session.on('signedOut', () => {
      this.outbox.close();
      this.store.reset('');
    });
  }

  private begin(ready: ServerPayload<'ready'>): void {
    this.store.applyReady(ready);
    this.syncer.start();
    this.outbox.start();
  }
}
