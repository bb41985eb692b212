import { Injectable } from '@nestjs/common';
import { assign, Broker, Membership } from '@parley/broker';
import { isLeader } from './presence.metrics';

/** One heartbeat of the others and a bit: before that a newcomer does not know who else is there. */
const LISTEN_FIRST_MS = 1_500;

/**
 * Which instance of presence tells the changes and sweeps after dead nodes: the one that ranks first. One teller keeps a
 * user's changes in order. Two at once, for a moment, do no lasting harm: what they do in Redis may be repeated.
 */
@Injectable()
export class Leadership {
  private connectedAt = performance.now();

  constructor(
    private readonly broker: Broker,
    private readonly membership: Membership,
  ) {
    broker.on('connected', () => (this.connectedAt = performance.now()));
  }

  /** False while the broker is away: then nobody can be told, and nobody's silence means anything. */
  isHeld(): boolean {
    const { connected, options } = this.broker;
    const knowsOthers = connected && performance.now() - this.connectedAt >= LISTEN_FIRST_MS;
    const held = knowsOthers && assign(1, this.membership.instances('presence'))[0] === options.instanceId;
    isLeader.set(held ? 1 : 0);
    return held;
  }
}
