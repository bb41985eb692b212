import type {
  ClientPayload,
  Conversation,
  CreateConversationBody,
  EditMessageBody,
  ErrorCode,
  LoginBody,
  Message,
  Refreshed,
  RegisterBody,
  SendMessagePayload,
  ServerPayload,
} from '@parley/contracts';
import { ParleyError, routes } from '@parley/contracts';
import type { Environment } from './environment';
import { createApi, type Api } from './http/api';
import { HttpTransport } from './http/transport';
import { uuidv7 } from './ids';
import { Presence } from './live/presence';
import { ReadMarks } from './live/read-marks';
import { Typing } from './live/typing';
import { environmentOf, exclusive, isBrowser, type ParleyClientOptions } from './options';
import { Outbox, type OutgoingMessage } from './outbox/outbox';
import { Realtime } from './realtime/realtime';
import { Session, type SessionUser } from './session/session';
import { isDurable, type DurableEvent } from './store/durable-event';
import { Pager, type OlderMessages } from './store/pager';
import { Snapshots } from './store/snapshot';
import { Store } from './store/store';
import { Syncer } from './store/syncer';

export type NewMessage = Omit<SendMessagePayload, 'clientMessageId'> & { clientMessageId?: string };

/** A message that was handed over: `stored` tells what became of it, whenever that is known. */
export interface SendHandle {
  clientMessageId: string;
  /** Rejects with a ParleyError only if the server finally refused or somebody signed out, never for want of a connection. */
  stored: Promise<Message>;
}

/** What names a message: a whole message will do. */
export type MessageRef = Pick<Message, 'conversationId' | 'id'>;

/** Of a connection that is not to come: only some reasons want another login. */
function codeOf(reason: string | undefined): ErrorCode {
  if (reason === undefined) return 'unavailable';
  return reason === 'too_many_connections' || reason === 'protocol_unsupported'
    ? 'forbidden'
    : 'unauthenticated';
}

/**
 * Everything a program needs to take part: sign in, connect, send, and see what others do. `store` holds what is known
 * and tells of every change; `realtime` has the raw events of the socket; `api` every HTTP call.
 */
export class ParleyClient {
  readonly api: Api;
  readonly session: Session;
  readonly realtime: Realtime;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly typing: Typing;
  readonly presence: Presence;
  private readonly environment: Environment;
  private readonly syncer: Syncer;
  private readonly pager: Pager;
  private readonly marks: ReadMarks;
  private readonly snapshots?: Snapshots;
  private readonly device?: string;
  private erasing?: Promise<void>;
  private isClosed = false;

  constructor(options: ParleyClientOptions) {
    const environment = (this.environment = environmentOf(options));
    this.device = options.device;
    const fetchLike = options.fetch ?? ((url, init) => fetch(url, init));
    const transport = new HttpTransport(
      options.url,
      fetchLike,
      options.httpTimeoutMs ?? 15_000,
      options.traceparent,
    );
    const exchange = async (refreshToken: string) => {
      const answer = await transport.send(routes.refreshTokens, { body: { refreshToken } });
      return (answer as Refreshed).tokens;
    };
    this.session = new Session(environment, exchange, exclusive);
    this.api = createApi(transport, this.session, () => this.newId());
    this.realtime = new Realtime(environment, this.session, {
      url: options.url,
      credentials: options.credentials ?? (isBrowser ? 'ticket' : 'header'),
      ticket: async () => (await this.api.createRealtimeTicket()).ticket,
      readyTimeoutMs: options.readyTimeoutMs ?? 15_000,
      ackTimeoutMs: options.ackTimeoutMs ?? 10_000,
      traceparent: options.traceparent,
    });
    this.store = new Store((options.hold ?? 'all') === 'all', options.messagesMax ?? 2_000);
    this.syncer = new Syncer(environment, this.store, (payload) => this.realtime.request('sync', payload));
    this.outbox = new Outbox(environment, (request) => this.transmit(request));
    this.pager = new Pager(this.store, (conversationId, query) =>
      this.api.listMessages({ params: { conversationId }, query }),
    );
    this.marks = new ReadMarks(environment, (conversationId, number) =>
      this.realtime.request('conversation:read', { conversationId, number }),
    );
    this.typing = new Typing(environment.clock, (event, conversationId) =>
      this.tell(event, { conversationId }),
    );
    this.presence = new Presence((event, userIds) => this.realtime.request(event, { userIds }), environment);
    if (options.persistState) this.snapshots = new Snapshots(environment, this.store);
    this.wire();
  }

  get user(): SessionUser | undefined {
    return this.session.user;
  }

  async register(body: RegisterBody): Promise<SessionUser> {
    const answer = await this.api.register({ body });
    await this.session.begin(answer);
    return this.enter(answer.user);
  }

  async login(body: LoginBody): Promise<SessionUser> {
    const answer = await this.api.login({ body: { device: this.device, ...body } });
    await this.session.begin(answer);
    return this.enter(answer.user);
  }

  /** Takes up the session that storage holds, with what was unsent. Says whether there is one. */
  async restore(): Promise<boolean> {
    if (!(await this.session.restore())) return false;
    await this.enter(this.session.user!);
    return true;
  }

  /**
   * Ends the session everywhere, and forgets all that was kept here, unsent messages too. Signed out here even if the
   * server could not be told. (Where the server ended the session, unsent messages wait for the next login.)
   */
  async logout(): Promise<void> {
    const userId = this.user?.id;
    try {
      await this.api.logout();
    } finally {
      await this.session.end('logout');
      await this.erasing;
      if (userId !== undefined) await this.outbox.erase(userId);
    }
  }

  /**
   * Connects, and stays connected until `disconnect`. Resolves at the first `ready`; rejects if the server does not want
   * this client, not for want of a network.
   */
  async connect(): Promise<void> {
    if (this.isClosed) throw new Error('This client was closed.');
    if (!this.user) throw new ParleyError('unauthenticated', 'Nobody is signed in.');
    if (this.realtime.ready) return;
    const outcome = this.realtime.once('status', ({ state }) => state === 'ready' || state === 'stopped');
    this.realtime.start();
    const status = await outcome;
    if (status.state === 'stopped') throw new ParleyError(codeOf(status.reason), status.reason ?? 'Stopped.');
  }

  /** Leaves the socket; unsent messages stay. */
  disconnect(): void {
    this.realtime.stop();
  }

  /** Leaves the socket and every timer for good, and keeps what is to be kept, so that the process can end. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.disconnect();
    this.session.close();
    await this.snapshots?.flush();
  }

  /** Resolves once nothing is known to be missing. */
  async synced(): Promise<void> {
    if (!this.syncer.isCurrent) await this.syncer.once('current');
  }

  /** Shows up in `outbox` at once and is sent as soon as may be, over disconnections and restarts. */
  send(message: NewMessage): SendHandle {
    const request = { ...message, clientMessageId: message.clientMessageId ?? this.newId() };
    this.typing.stop(message.conversationId);
    return { clientMessageId: request.clientMessageId, stored: this.outbox.add(request) };
  }

  /** What a conversation shows: stored messages by number, then what is on its way. */
  timeline(conversationId: string): { messages: Message[]; outgoing: OutgoingMessage[] } {
    const messages = this.store.messages(conversationId);
    return { messages, outgoing: this.outbox.pending(conversationId) };
  }

  /** The page before what `timeline` shows; it is in `timeline` afterwards. */
  loadBefore(conversationId: string, limit?: number): Promise<OlderMessages> {
    return this.pager.loadBefore(conversationId, limit);
  }

  edit({ conversationId, id: messageId }: MessageRef, change: EditMessageBody): Promise<Message> {
    return this.write('message:edit', { conversationId, messageId, ...change });
  }

  delete({ conversationId, id: messageId }: MessageRef): Promise<Message> {
    return this.write('message:delete', { conversationId, messageId });
  }

  react({ conversationId, id: messageId }: MessageRef, emoji: string): Promise<Message> {
    return this.write('reaction:add', { conversationId, messageId, emoji });
  }

  unreact({ conversationId, id: messageId }: MessageRef, emoji: string): Promise<Message> {
    return this.write('reaction:remove', { conversationId, messageId, emoji });
  }

  /** Marks as read up to `number`, or everything; shown here at once, told to the server as soon as may be. */
  markRead(conversationId: string, number?: number): void {
    const upTo = number ?? this.store.state(conversationId)?.messageCount ?? 0;
    if (this.store.markRead(conversationId, upTo)) this.marks.mark(conversationId, upTo);
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

  private async enter(user: SessionUser): Promise<SessionUser> {
    this.store.reset(user.id);
    await this.snapshots?.load(user.id);
    await this.outbox.open(user.id);
    return user;
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

  /** For what may be lost. */
  private tell(event: 'typing:start' | 'typing:stop', payload: { conversationId: string }): void {
    if (!this.realtime.ready) return;
    this.realtime.request(event, payload).catch((error: unknown) => {
      this.environment.logger.debug('Not told.', { event, error: String(error) });
    });
  }

  private newId(): string {
    return uuidv7(this.environment.clock.now());
  }

  private wire(): void {
    const { realtime, store } = this;
    realtime.on('any', ({ name, payload }) => {
      if (isDurable(name)) store.applyEvent({ name, payload } as DurableEvent);
    });
    realtime.on('ready', (ready) => this.begin(ready));
    realtime.on('conversation:removed', ({ conversationId }) => store.applyRemoved(conversationId));
    realtime.on('account:changed', () => store.applyAccountChanged());
    realtime.on('position', ({ versions }) => store.applyPosition(versions));
    realtime.on('typing:changed', (change) => this.typing.apply(change));
    realtime.on('presence:changed', ({ items }) => this.presence.apply(items));
    realtime.on('status', ({ state }) => {
      if (state !== 'ready') this.pause();
    });
    store.on('message', ({ message }) => {
      if (message.senderId === store.userId) this.outbox.arrived(message);
    });
    this.session.on('signedOut', () => this.leave());
  }

  private begin(ready: ServerPayload<'ready'>): void {
    this.store.applyReady(ready);
    this.syncer.start();
    this.outbox.start();
    this.marks.start();
    this.presence.resume();
  }

  private pause(): void {
    this.syncer.pause();
    this.outbox.stop();
    this.marks.stop();
    this.presence.pause();
    this.typing.clear();
  }

  private leave(): void {
    const { userId } = this.store;
    this.outbox.close();
    this.marks.clear();
    this.store.reset('');
    this.erasing = this.snapshots?.erase(userId).catch((error: unknown) => {
      this.environment.logger.warn('Could not erase the state.', { error: String(error) });
    });
  }
}
