import {
  clientEvents,
  eventHeaders,
  ParleyError,
  parse,
  limits,
  type ClientEvent,
  type ClientReply,
} from '@parley/contracts';
import { endSpan, enterContext, getLogger, runInContext, toParleyError } from '@parley/service';
import type { Span } from '@opentelemetry/api';
import type { z } from 'zod';
import { metrics } from '../metrics';
import type { Session } from '../socket/session';
import type { EventPacket } from '../socket/wire';

export type Payload<E extends ClientEvent> = z.output<(typeof clientEvents)[E]['payload']>;

/** One handler for each event of the contract. It is called in the order of arrival and must not wait before it asks. */
export type EventHandlers = {
  [E in ClientEvent]: (session: Session, payload: Payload<E>) => Promise<ClientReply<E>>;
};

interface Route {
  payload: z.ZodType;
  handle: (session: Session, payload: never) => Promise<object>;
  seconds: { observe(value: number): void };
  ok: { inc(): void };
}

const log = getLogger('Router');

/** A client that goes on after so many refusals in a row is no client in a hurry. */
const REFUSALS_MAX = 200;
const UNKNOWN = 'unknown';
const NO_HEADERS = {};

/** The door for clients' events: limits, validation, answer. Nothing that a client sends goes unanswered or hurts. */
export class Router {
  private readonly routes: Map<string, Route>;

  constructor(handlers: EventHandlers) {
    this.routes = new Map(
      (Object.keys(clientEvents) as ClientEvent[]).map((event) => [
        event,
        {
          payload: clientEvents[event].payload,
          handle: (handlers[event] as Route['handle']).bind(handlers),
          seconds: metrics.ackSeconds.labels(event),
          ok: metrics.events.labels(event, 'ok'),
        },
      ]),
    );
  }

  receive(session: Session, packet: EventPacket): void {
    if (session.state === 'closing') return;
    const waitMs = session.bucket.take(Date.now());
    if (waitMs > 0) {
      this.slowDown(session, packet, waitMs);
      return;
    }
    if (session.isLive) this.handle(session, packet);
    else this.postpone(session, packet);
  }

  /** `ready` has been sent: what came before is handled now, in its order. */
  resume(session: Session): void {
    const { early } = session;
    session.early = null;
    for (const packet of early ?? []) this.handle(session, packet);
  }

  /** Nothing is answered before `ready`, so it has to wait for it. */
  private postpone(session: Session, packet: EventPacket): void {
    session.early ??= [];
    if (session.early.length >= limits.socketInFlightMax) this.slowDown(session, packet, 1_000);
    else session.early.push(packet);
  }

  private handle(session: Session, packet: EventPacket): void {
    const [event, payload, headers, ...more] = packet.data ?? [];
    const route = typeof event === 'string' ? this.routes.get(event) : undefined;
    if (!route) {
      const error = new ParleyError('invalid_request', 'There is no such event.');
      this.refuse(session, packet.id, UNKNOWN, error);
      return;
    }
    const startedAt = performance.now();
    let reply: Promise<object>;
    let span: Span | undefined;
    try {
      if (more.length > 0) throw new ParleyError('invalid_request', 'An event takes a payload and headers.');
      const from = headers === undefined ? NO_HEADERS : parse(eventHeaders, headers);
      if (session.inFlight >= limits.socketInFlightMax) {
        throw new ParleyError('rate_limited', 'Too many events are unanswered.', { retryAfterMs: 1_000 });
      }
      const input = parse(route.payload, payload);
      const context = enterContext(event as string, from);
      span = context.span;
      reply = runInContext(context, () => route.handle(session, input as never));
    } catch (error) {
      if (span) endSpan(span, error);
      this.refuse(session, packet.id, event as string, error);
      return;
    }
    session.inFlight += 1;
    const settle = (error?: unknown): void => {
      session.inFlight -= 1;
      if (span) endSpan(span, error);
      route.seconds.observe((performance.now() - startedAt) / 1000);
    };
    reply.then(
      (body) => {
        settle();
        session.refusals = 0;
        route.ok.inc();
        if (packet.id !== undefined) session.acknowledge(packet.id, body);
      },
      (error: unknown) => {
        settle(error);
        this.refuse(session, packet.id, event as string, error);
      },
    );
  }

  /**
   * Answers with the error. A mistake that asked for no answer closes the socket with a reason, for otherwise nobody
   * would ever learn of it.
   */
  private refuse(session: Session, id: number | undefined, event: string, thrown: unknown): void {
    const error = toParleyError(thrown);
    if (error.code === 'internal') log.error({ err: thrown, event }, 'An event failed unexpectedly.');
    metrics.events.inc({ event, outcome: error.code });
    if (id !== undefined) session.refuse(id, error.toBody());
    else if (error.code === 'invalid_request') session.close('protocol_unsupported');
  }

  private slowDown(session: Session, packet: EventPacket, retryAfterMs: number): void {
    metrics.events.inc({ event: UNKNOWN, outcome: 'rate_limited' });
    session.refusals += 1;
    if (session.refusals > REFUSALS_MAX) {
      session.close('rate_limited', 5_000);
    } else if (packet.id !== undefined) {
      const error = new ParleyError('rate_limited', 'Too many events.', { retryAfterMs });
      session.refuse(packet.id, error.toBody());
    }
  }
}
