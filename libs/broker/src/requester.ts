import type {
  CommandData,
  CommandName,
  CommandReply,
  QueryData,
  QueryName,
  QueryReply,
  ServiceName,
} from '@parley/contracts';
import { commands, ParleyError, partitionOf, queries, queues, unavailable } from '@parley/contracts';
import type { ChannelModel } from 'amqplib';
import type { Broker } from './broker';
import { assertQueue, closeTogether } from './broker';
import type { ControlInbox } from './control';
import { OwnerDirectory } from './owners';
import { bodiesOf } from './size';
import type { ReplyEnvelope, RequestEntry } from './wire';
import { replyStatus } from './wire';

interface Pending {
  id: number;
  partition: number;
  /** The term under which it was last sent; undefined while it is held. */
  sentTerm?: number;
  entry: RequestEntry;
  deadline: number;
  askedAt: number;
  resolve: (reply: never) => void;
  reject: (error: ParleyError) => void;
}

const QUERY = -1;
const SWEEP_MS = 50;
/** Longest wait for an owner, within the time of the command: beyond it the honest answer is `unavailable`. */
const HOLD_MS_MAX = 1700;
const PENDING_MAX = 20_000;
/** A batch of queries goes to one instance, so it is kept small enough to spread a storm. */
const QUERIES_PER_ENVELOPE = 32;

/**
 * Asks other services over the broker. A command goes to the owner of its conversation's partition, in the order of
 * asking; while a partition has no open owner its commands are held, in order, for at most 1.7 s, and what a former
 * owner left unanswered is sent again to the new one (commands name the wanted state, so a repeat does no harm). What one
 * tick asks of one queue travels in one envelope, as far as that can carry it. Nothing waits longer than its timeout.
 */
export class Requester {
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly byPartition = new Map<number, Map<number, Pending>>();
  private readonly outbox = new Map<string, RequestEntry[]>();
  private readonly owners: OwnerDirectory;
  private readonly timer: NodeJS.Timeout;
  private flushing = false;

  constructor(
    private readonly broker: Broker,
    control: ControlInbox,
  ) {
    this.owners = new OwnerDirectory(control, (partition) => this.release(partition));
    void broker.onConnection((connection) => this.setUp(connection));
    broker.on('disconnected', () => this.rejectAll('The broker went away.'));
    broker.onReturn((queue) => this.returned(queue));
    this.timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.timer.unref();
  }

  /** Asks the owner of `data.conversationId`. Rejects with the owner's ParleyError, or `unavailable` in time. */
  command<C extends CommandName>(name: C, data: CommandData<C>): Promise<CommandReply<C>> {
    const partition = partitionOf(data.conversationId);
    return this.ask<CommandReply<C>>(name, data, partition, commands[name].timeoutMs, (pending) => {
      const ofPartition = this.byPartition.get(partition) ?? new Map<number, Pending>();
      this.byPartition.set(partition, ofPartition);
      ofPartition.set(pending.id, pending);
      this.send(pending);
    });
  }

  /** Asks any instance of the service that the name begins with. */
  query<Q extends QueryName>(name: Q, data: QueryData<Q>): Promise<QueryReply<Q>> {
    return this.ask<QueryReply<Q>>(name, data, QUERY, queries[name].timeoutMs, (pending) => {
      const service = name.split('.')[0] as ServiceName;
      this.enqueue(queues.queries(service).name, pending.entry);
    });
  }

  stop(): void {
    clearInterval(this.timer);
    this.rejectAll('The service is stopping.');
  }

  private ask<R>(
    name: CommandName | QueryName,
    data: unknown,
    partition: number,
    timeoutMs: number,
    dispatch: (pending: Pending) => void,
  ): Promise<R> {
    if (!this.broker.connected) return Promise.reject(unavailable('The broker is away.'));
    if (this.pending.size >= PENDING_MAX)
      return Promise.reject(unavailable('Too many requests are under way.'));
    return new Promise<R>((resolve, reject) => {
      const id = this.nextId++;
      const traceparent = this.broker.options.trace?.current();
      const entry: RequestEntry = [id, partition, 0, name, data, traceparent ?? null, timeoutMs];
      const askedAt = performance.now();
      const pending: Pending = {
        id,
        partition,
        entry,
        askedAt,
        deadline: askedAt + timeoutMs,
        resolve,
        reject,
      };
      this.pending.set(id, pending);
      dispatch(pending);
    });
  }

  private send(pending: Pending): void {
    const owner = this.owners.open(pending.partition);
    if (!owner) {
      pending.sentTerm = undefined;
      return;
    }
    pending.sentTerm = owner.term;
    pending.entry[2] = owner.term;
    pending.entry[6] = Math.round(pending.deadline - performance.now());
    this.enqueue(queues.commands(owner.instanceId).name, pending.entry);
  }

  /** A partition has an open owner: everything that this term has not been asked yet goes out, oldest first. */
  private release(partition: number): void {
    const owner = this.owners.open(partition);
    for (const pending of this.byPartition.get(partition)?.values() ?? []) {
      if (pending.sentTerm !== owner?.term) this.send(pending);
    }
  }

  private enqueue(queue: string, entry: RequestEntry): void {
    const entries = this.outbox.get(queue);
    // As it is now: what is sent again, under another term, may still wait here for a former owner.
    const asSent: RequestEntry = [...entry];
    if (entries) entries.push(asSent);
    else this.outbox.set(queue, [asSent]);
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    const { service, instanceId } = this.broker.options;
    const replyTo = queues.replies(service, instanceId).name;
    for (const [queue, entries] of this.outbox) {
      const size = queue.endsWith('.queries') ? QUERIES_PER_ENVELOPE : entries.length;
      for (let i = 0; i < entries.length; i += size) {
        const texts = entries.slice(i, i + size).map((entry) => JSON.stringify(entry));
        for (const body of bodiesOf('requests', texts))
          this.broker.publish('', queue, body, { replyTo, mandatory: true });
      }
    }
    this.outbox.clear();
  }

  /** No such queue: the owner is dead, or no instance of the service has ever run. */
  private returned(queue: string): void {
    const prefix = queues.commands('').name;
    if (queue.startsWith(prefix)) {
      const instanceId = queue.slice(prefix.length);
      this.owners.forget(instanceId);
      for (const pending of this.pending.values()) {
        if (pending.partition !== QUERY && !this.owners.open(pending.partition)) pending.sentTerm = undefined;
      }
      return;
    }
    const service = queue.split('.')[0];
    for (const pending of this.pending.values()) {
      if (pending.partition === QUERY && pending.entry[3].startsWith(`${service}.`)) {
        this.settle(pending).reject(unavailable(`The ${service} service is away.`));
      }
    }
  }

  private async setUp(connection: ChannelModel): Promise<void> {
    const { service, instanceId, logger } = this.broker.options;
    const channel = await connection.createChannel();
    closeTogether(connection, channel, logger);
    const queue = queues.replies(service, instanceId);
    await assertQueue(channel, queue);
    await this.broker.consume(
      connection,
      channel,
      queue,
      (message) => {
        const envelope = this.broker.envelopes.read<ReplyEnvelope>('replies', message.content);
        // What is not understood counts as no answer: the request runs out of time.
        if (envelope) this.receive(envelope);
      },
      { noAck: true },
    );
  }

  private receive({ replies }: ReplyEnvelope): void {
    for (const reply of replies) {
      const pending = this.pending.get(reply[0]);
      if (!pending) continue;
      if (reply[1] === replyStatus.ok) {
        this.settle(pending).resolve(reply[2] as never);
      } else if (reply[1] === replyStatus.error) {
        this.settle(pending).reject(ParleyError.fromBody(reply[2]));
      } else {
        this.moved(pending, reply[2]);
      }
    }
  }

  /**
   * @param term under which it was refused. What was sent to a successor since is his to answer: the late word of a former
   * owner says nothing of him. One that names no term is taken for the answer to the last sending.
   */
  private moved(pending: Pending, term = pending.sentTerm): void {
    if (term === undefined || term !== pending.sentTerm) return;
    this.owners.refused(pending.partition, term);
    this.send(pending);
  }

  private settle(pending: Pending): Pending {
    this.pending.delete(pending.id);
    const ofPartition = this.byPartition.get(pending.partition);
    ofPartition?.delete(pending.id);
    if (ofPartition?.size === 0) this.byPartition.delete(pending.partition);
    return pending;
  }

  private sweep(): void {
    const now = performance.now();
    for (const pending of this.pending.values()) {
      const isHeld = pending.partition !== QUERY && pending.sentTerm === undefined;
      if (now >= pending.deadline) {
        this.settle(pending).reject(
          unavailable('No answer in time; it may or may not have been carried out.'),
        );
      } else if (isHeld && now - pending.askedAt >= HOLD_MS_MAX) {
        this.settle(pending).reject(unavailable('The conversation has no owner at the moment.'));
      }
    }
  }

  private rejectAll(reason: string): void {
    this.outbox.clear();
    for (const pending of [...this.pending.values()]) this.settle(pending).reject(unavailable(reason));
  }
}
