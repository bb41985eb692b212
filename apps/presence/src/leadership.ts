import { Injectable } from '@nestjs/common';
import { assign, Broker, Membership } from '@parley/broker';
import { isLeader } from './presence.metrics';

/**
 * Which instance of presence tells the changes and sweeps after dead nodes: the one that ranks first. One teller keeps a
 * user's changes in order. Two at once, for a moment, do no harm: what they do in Redis may be repeated.
 */
@Injectable()
export class Leadership {
  constructor(
    private readonly broker: Broker,
    private readonly membership: Membership,
  ) {}

  /** False while the broker is away: then nobody can be told, and nobody's silence means anything. */
  isHeld(): boolean {
    const { instanceId } = this.broker.options;
    const held = this.broker.connected && assign(1, this.membership.instances('presence'))[0] === instanceId;
    isLeader.set(held ? 1 : 0);
    return held;
  }
}
