import type {
  ConnectionEvent,
  DigestEnvelope,
  HeadsEnvelope,
  PresenceEntry,
  UserEvent,
} from '@parley/contracts';
import { controlKeys, exchanges } from '@parley/contracts';
import type { Broker } from './broker';
import type { OwnerAnnouncement } from './wire';

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

  owner(announcement: OwnerAnnouncement): void {
    this.broker.publish(exchanges.control.name, controlKeys.owner, JSON.stringify(announcement));
  }

  heads(envelope: HeadsEnvelope): void {
    this.broker.publish(exchanges.control.name, controlKeys.heads, JSON.stringify(envelope));
  }

  digest(envelope: DigestEnvelope): void {
    this.broker.publish(exchanges.control.name, controlKeys.digest, JSON.stringify(envelope));
  }

  /** To the sockets of single users, on every realtime node. */
  users(event: UserEvent): void {
    this.broker.publish(exchanges.users.name, '', JSON.stringify(event));
  }

  /** From a realtime node to presence. */
  connections(events: ConnectionEvent[]): void {
    this.broker.publish(exchanges.connections.name, 'connection', JSON.stringify(events));
  }

  /** From presence to every realtime node. */
  presence(items: PresenceEntry[]): void {
    this.broker.publish(exchanges.presence.name, '', JSON.stringify(items));
  }
}
