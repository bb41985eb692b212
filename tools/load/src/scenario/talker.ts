import { randomBytes } from 'node:crypto';
import {
  createdPrefix,
  isMessageCreated,
  readStamp,
  readVersion,
  stampedBody,
  startsWith,
} from '../wire/packet';
import { RawSocket, type RawSocketHandler } from '../wire/raw-socket';
import { nowUs, type Tally } from './tally';

/** Characters of every message's body. */
const BODY_CHARS = 64;
const RETRY_MS = 100;
const READY = Buffer.from('["ready",');
const OK = Buffer.from('[{"ok":true');

interface Pending {
  dueUs: number;
  payload: string;
}

export interface TalkerOptions {
  url: string;
  accessToken: string;
  conversationId: string;
  /** The conversation's version before the first message. */
  version: number;
  tally: Tally;
  /** Called after each success. */
  onAcked: (talker: Talker) => void;
}

/** One user with one socket, who talks in one conversation and counts what it is told. */
export class Talker implements RawSocketHandler {
  private socket!: RawSocket;
  private readonly pending = new Map<number, Pending>();
  private readonly run = randomBytes(6).toString('hex');
  private nextId = 0;
  private version: number;
  private readonly ownEvent: Buffer;
  private becameReady!: () => void;
  private closing = false;
  /** Messages of this user that were answered with success. */
  acked = 0;
  /** Messages delivered to this socket, each for the first time and in order. */
  received = 0;
  /** Deliveries that skipped at least one version, and deliveries that were not new. */
  skipped = 0;
  repeated = 0;
  /** Deliveries of conversations in which nobody talks in this run. */
  strange = 0;

  private constructor(private readonly options: TalkerOptions) {
    this.version = options.version;
    this.ownEvent = createdPrefix(options.conversationId);
  }

  /** Resolves when `ready` has come. @throws Error when the server refuses. */
  static async join(options: TalkerOptions): Promise<Talker> {
    const talker = new Talker(options);
    const ready = new Promise<void>((resolve) => (talker.becameReady = resolve));
    const { url, accessToken } = options;
    talker.socket = await RawSocket.open({ url, accessToken, handler: talker });
    await ready;
    return talker;
  }

  get conversationId(): string {
    return this.options.conversationId;
  }

  /** Messages that wait for their answer. */
  get inFlight(): number {
    return this.pending.size;
  }

  /** Sends one message that was due at `dueUs`, see `nowUs`. */
  send(dueUs: number): void {
    const ackId = this.nextId++;
    const { conversationId } = this.options;
    const body = stampedBody(dueUs, BODY_CHARS);
    const payload = `{"conversationId":"${conversationId}","clientMessageId":"${this.run}-${ackId}","body":"${body}"}`;
    this.pending.set(ackId, { dueUs, payload });
    this.socket.emit(ackId, 'message:send', payload);
  }

  leave(): void {
    this.closing = true;
    this.socket.close();
  }

  onEvent(buffer: Buffer, start: number, end: number): void {
    if (startsWith(buffer, start, end, this.ownEvent)) this.onDelivery(buffer, start, end);
    else if (isMessageCreated(buffer, start, end)) this.onOther(buffer, start, end);
    else if (startsWith(buffer, start, end, READY)) this.becameReady();
  }

  onAck(ackId: number, buffer: Buffer, start: number, end: number): void {
    const pending = this.pending.get(ackId);
    if (!pending) throw new Error(`An answer to ${ackId}, which nobody asked.`);
    if (startsWith(buffer, start, end, OK)) {
      this.pending.delete(ackId);
      this.acked++;
      this.options.tally.ack(pending.dueUs, nowUs());
      this.options.onAcked(this);
    } else {
      this.onRefusal(ackId, pending, buffer.toString('utf8', start, end));
    }
  }

  onClose(reason: string): void {
    if (!this.closing) this.options.tally.lostSockets.push(reason);
  }

  /** A delivery that does not begin as usual: of another conversation, or with its fields in another order. */
  private onOther(buffer: Buffer, start: number, end: number): void {
    const [, { conversationId }] = JSON.parse(buffer.toString('utf8', start, end)) as [
      string,
      { conversationId: string },
    ];
    if (conversationId === this.conversationId) this.onDelivery(buffer, start, end);
    else this.strange++;
  }

  private onDelivery(buffer: Buffer, start: number, end: number): void {
    const { tally } = this.options;
    const version = readVersion(buffer, start, end);
    if (version <= this.version) {
      this.repeated++;
      return;
    }
    if (version !== this.version + 1) this.skipped++;
    this.version = version;
    this.received++;
    tally.deliver(readStamp(buffer, start, end), nowUs());
  }

  /** The same message again, with the same client id, so that the count of messages stays exact. */
  private onRefusal(ackId: number, pending: Pending, answer: string): void {
    const [{ error }] = JSON.parse(answer) as [{ error: { code: string; retryAfterMs?: number } }];
    this.options.tally.refuse(error.code);
    setTimeout(() => {
      if (!this.closing) this.socket.emit(ackId, 'message:send', pending.payload);
    }, error.retryAfterMs ?? RETRY_MS);
  }
}
