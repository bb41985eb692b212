import { setTimeout as delay } from 'node:timers/promises';
import type { CommandName, QueryName, QueueSpec, ServiceName } from '@parley/contracts';
import { commands, exchanges, ParleyError, parse, queries, queues, unavailable } from '@parley/contracts';
import type { CustomTransportStrategy, MessageHandler } from '@nestjs/microservices';
import { Server } from '@nestjs/microservices';
import type { ChannelModel, ConsumeMessage } from 'amqplib';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Broker } from './broker';
import { assertQueue, closeTogether } from './broker';
import { ReplySender } from './replies';
import type { Subscription } from './subscription';
import { EventSubscription } from './subscription';
import type { ReplyEntry, RequestEntry, RequestEnvelope } from './wire';
import { replyStatus } from './wire';

export interface Serves {
  /** Answers `<service>.queries`. */
  queries?: boolean;
  /** Answers this instance's command queue: messaging only. */
  commands?: boolean;
  subscriptions?: Subscription[];
}

/** What a command handler needs beside the data: under which term its partition was addressed. */
export interface RequestContext {
  partition: number;
  term: number;
  /** When the envelope arrived, by this process's monotonic clock, in milliseconds. */
  arrivedAt: number;
  /** When its asker gives up, by the same clock; the way here is not counted. */
  expiresAt: number;
}

/** Thrown by a command handler whose instance does not own the partition under the addressed term. */
export class Moved extends Error {}

const IN_FLIGHT_MAX = 20_000;
/** Of an asker that does not say for how long it waits; it may have held the request for most of its time. */
const TIME_LEFT_MS = 1000;
/** Above the time of any query or command. */
const CLOSE_MS_MAX = 2500;

/**
 * The NestJS transport of this system: @MessagePattern methods answer commands and queries by their catalogue name,
 * @EventPattern methods take the events of an exchange. Handlers of one envelope start in its order, so commands of one
 * partition reach their owner in the order in which they were asked.
 */
export class BrokerStrategy extends Server implements CustomTransportStrategy {
  private readonly replies: ReplySender;
  private inFlight = 0;
  /** How to take no more queries, which any other instance answers. */
  private stopQueries: () => Promise<unknown> = () => Promise.resolve();

  constructor(
    private readonly broker: Broker,
    private readonly serves: Serves,
  ) {
    super();
    this.replies = new ReplySender(broker);
  }

  listen(callback: () => void): void {
    const { service, instanceId } = this.broker.options;
    if (this.serves.commands) {
      void this.broker.onConnection(async (connection) => {
        await this.answer(connection, queues.commands(instanceId));
      });
    }
    if (this.serves.queries) {
      void this.broker.onConnection(async (connection) => {
        this.stopQueries = await this.answer(connection, queues.queries(service));
      });
    }
    for (const subscription of this.serves.subscriptions ?? []) {
      const { name } = exchanges[subscription.exchange];
      const { trace } = this.broker.options;
      const handle = (body: unknown, traceparent: string | undefined) => {
        const run = () => this.dispatch(name, body, undefined);
        return trace && traceparent ? trace.consume(name, traceparent, run) : run();
      };
      const events = new EventSubscription(this.broker, subscription, handle);
      void this.broker.onConnection((connection) => events.setUp(connection));
    }
    this.broker.start();
    callback();
  }

  /** Takes no more queries, and resolves once what was taken is answered: its servers are closed behind it. */
  async close(): Promise<void> {
    const until = performance.now() + CLOSE_MS_MAX;
    // Of a connection that is gone there is nothing to stop.
    await this.stopQueries().catch(() => undefined);
    while (this.inFlight > 0 && performance.now() < until) await delay(5);
    this.replies.flush();
  }

  on(): void {
    throw new Error('This transport has no events to listen to.');
  }

  unwrap<T>(): T {
    return this.broker as T;
  }

  /** Takes the requests of a queue on this connection. Returns how to take no more. */
  private async answer(connection: ChannelModel, queue: QueueSpec): Promise<() => Promise<unknown>> {
    const channel = await connection.createChannel();
    closeTogether(connection, channel, this.broker.options.logger);
    await assertQueue(channel, queue);
    const service = queue.name.split('.')[0] as ServiceName;
    const consumerTag = await this.broker.consume(
      connection,
      channel,
      queue,
      (message) => this.receive(message, service),
      // Requests are answered or asked again, so they need no acknowledgement.
      { noAck: true },
    );
    return async () => channel.cancel(consumerTag);
  }

  private receive(message: ConsumeMessage, service: ServiceName): void {
    const replyTo = message.properties.replyTo as string | undefined;
    const { body, refusal } = this.broker.envelopes.open('requests', message.content);
    if (replyTo === undefined || refusal === 'malformed') return;
    const envelope = body as RequestEnvelope;
    if (refusal) return this.refuse(replyTo, envelope, service);
    const arrivedAt = performance.now();
    for (const entry of envelope.requests) {
      if (this.inFlight >= IN_FLIGHT_MAX) {
        const error = unavailable(`The ${service} service is overloaded.`, 1000).toBody();
        this.replies.add(replyTo, [entry[0], replyStatus.error, error]);
        continue;
      }
      this.inFlight += 1;
      void this.carryOut(entry, arrivedAt).then((reply) => {
        this.inFlight -= 1;
        this.replies.add(replyTo, reply);
      });
    }
  }

  /** Nothing was carried out, and an instance of another release may read it: so the asker may ask again. */
  private refuse(replyTo: string, { v, requests }: RequestEnvelope, service: ServiceName): void {
    if (!Array.isArray(requests)) return;
    const error = unavailable(`The ${service} service does not read requests of version ${v}.`).toBody();
    for (const entry of requests)
      if (Array.isArray(entry)) this.replies.add(replyTo, [entry[0], replyStatus.error, error]);
  }

  private async carryOut(entry: RequestEntry, arrivedAt: number): Promise<ReplyEntry> {
    const [id, partition, term, pattern, data, traceparent, timeLeftMs = TIME_LEFT_MS] = entry;
    try {
      const context: RequestContext = { partition, term, arrivedAt, expiresAt: arrivedAt + timeLeftMs };
      const run = () => this.dispatch(pattern, this.check(pattern, data), context);
      const trace = this.broker.options.trace;
      const reply = await (trace && traceparent ? trace.answer(pattern, traceparent, run) : run());
      return [id, replyStatus.ok, reply];
    } catch (error) {
      if (error instanceof Moved) return [id, replyStatus.moved, term];
      return [id, replyStatus.error, this.refusal(pattern, error).toBody()];
    }
  }

  private refusal(pattern: string, error: unknown): ParleyError {
    if (error instanceof ParleyError) return error;
    const refusal = this.broker.options.toError?.(error) ?? new ParleyError('internal');
    if (refusal.code === 'internal') {
      this.broker.options.logger.error({ pattern, error: errorText(error) }, 'broker: a handler failed');
    }
    return refusal;
  }

  private check(pattern: string, data: unknown): unknown {
    const entry = commands[pattern as CommandName] ?? queries[pattern as QueryName];
    if (!entry) throw new ParleyError('invalid_request', `There is no request ${pattern}.`);
    return parse(entry.data, data);
  }

  private async dispatch(pattern: string, data: unknown, context: unknown): Promise<unknown> {
    const handler = this.messageHandlers.get(pattern) as MessageHandler | undefined;
    if (!handler) throw new ParleyError('invalid_request', `Nothing here handles ${pattern}.`);
    const result: unknown = await handler(data, context);
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
