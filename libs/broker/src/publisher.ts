import type {
  ConnectionEvent,
  DigestEnvelope,
  HeadsEnvelope,
  PresenceEntry,
  UserEvent,
} from '@parley/contracts';
import { controlKeys, envelopes, exchanges } from '@parley/contracts';
import type { Broker } from './broker';
import type { OwnerAnnouncement } from './wire';

/** As callers give it: the version is added here. */
type Unversioned<E> = Omit<E, 'v'>;

/**
 * Tells without waiting. What is told here may be lost when the broker is away: its hearers repair themselves from the
 * log, from heads, from digests and from repeated announcements.
 */
export class Publisher {
  constructor(private readonly broker: Broker) {}

  /** Rows of one lane, already serialised: `body` is an EventEnvelope as JSON. */
  events(lane: number, body: string): void {
    this.broker.publish(exchanges.events.name, `lane.${lane}`, body);
  }

  owner(announcement: Unversioned<OwnerAnnouncement>): void {
    this.control(controlKeys.owner, { v: envelopes.owner.written, ...announcement });
  }

  heads(envelope: Unversioned<HeadsEnvelope>): void {
    this.control(controlKeys.heads, { v: envelopes.heads.written, ...envelope });
  }

  digest(envelope: Unversioned<DigestEnvelope>): void {
    this.control(controlKeys.digest, { v: envelopes.digest.written, ...envelope });
  }

  /**
   * To the sockets of single users, on every realtime node.
   *
   * @param traceparent the trace of what caused it, where that is sampled
   */
  users(event: UserEvent, traceparent?: string): void {
    const options = traceparent === undefined ? {} : { headers: { traceparent } };
    this.broker.publish(
      exchanges.users.name,
      '',
      JSON.stringify({ v: envelopes.users.written, ...event }),
      options,
    );
  }

  /** From a realtime node to presence. */
  connections(events: ConnectionEvent[]): void {
    this.broker.publish(exchanges.connections.name, 'connection', JSON.stringify(events));
  }

  /** From presence to every realtime node. */
  presence(items: PresenceEntry[]): void {
    this.broker.publish(exchanges.presence.name, '', JSON.stringify(items));
  }

  private control(key: string, envelope: object): void {
    this.broker.publish(exchanges.control.name, key, JSON.stringify(envelope));
  }
}
