import { assign, LaneConsumer, type Broker, type Membership } from '@parley/broker';
import { LANES, queues, type EventEnvelope } from '@parley/contracts';
import { gauge } from '@parley/service';
import type { Cluster } from '../socket/cluster';
import type { NodeLog } from './node-log';

const ROWS = 'rows';
/** By then a node that has just started has heard the heartbeats of all others. */
const ACQUAINTED_MS = 3_000;

/**
 * Takes this node's share of the event lanes and passes each envelope whole to every other node. Nothing is stored, so
 * nothing is acknowledged: what gets lost is found by its gap, or by the head that its owner announces.
 */
export class LaneRelay {
  private readonly consumer: LaneConsumer;
  private aloneFromMs = Infinity;

  constructor(
    private readonly broker: Broker,
    private readonly membership: Membership,
    private readonly cluster: Cluster,
    private readonly log: NodeLog,
  ) {
    this.consumer = new LaneConsumer({
      broker,
      membership,
      queue: (lane) => queues.liveLane('realtime', lane),
      onTake: () => Promise.resolve(),
      onDrop: () => undefined,
      onEnvelope: (envelope) => this.pass(envelope),
      noAck: true,
    });
    cluster.on(ROWS, (body) => {
      if (!this.broker.envelopes.judge('events', body)) this.log.offer(body as EventEnvelope, false);
    });
  }

  start(): void {
    this.aloneFromMs = performance.now() + ACQUAINTED_MS;
    const { consumer } = this;
    gauge('realtime_lanes', 'Lanes of events that this node passes on to all.', [], function () {
      this.set(consumer.lanes().length);
    });
    this.consumer.start();
  }

  /** Whether this node takes the lanes that fall to it. */
  takesItsShare(): boolean {
    const taken = new Set(this.consumer.lanes());
    const owners = assign(LANES, this.membership.instances('realtime'));
    return (
      owners.length > 0 &&
      owners.every((id, lane) => id !== this.broker.options.instanceId || taken.has(lane))
    );
  }

  /** The other nodes take over. */
  stop(): Promise<void> {
    return this.consumer.stop();
  }

  private pass(envelope: EventEnvelope): void {
    if (!this.isAlone()) this.cluster.send(ROWS, envelope);
    this.log.offer(envelope, true);
  }

  /** A lone node spares itself the serialising. */
  private isAlone(): boolean {
    return this.membership.instances('realtime').length <= 1 && performance.now() > this.aloneFromMs;
  }
}
