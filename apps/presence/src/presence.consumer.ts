import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { connectionEvent, exchanges, itemsOf, type QueryData } from '@parley/contracts';
import { Public, getLogger } from '@parley/service';
import { connectionEvents } from './presence.metrics';
import { PresenceService } from './presence.service';
import { PresenceStore } from './presence.store.redis';

const log = getLogger('PresenceConsumer');

/** What other services ask and tell over the broker. Realtime speaks for the user whose socket it holds. */
@Public()
@Controller()
export class PresenceConsumer {
  constructor(
    private readonly presence: PresenceService,
    private readonly store: PresenceStore,
  ) {}

  @MessagePattern('presence.get')
  get(@Payload() data: QueryData<'presence.get'>) {
    return this.presence.get(data.userIds);
  }

  @MessagePattern('presence.set')
  set(@Payload() data: QueryData<'presence.set'>) {
    return this.presence.set(data.userId, data.status);
  }

  /**
   * A list of ConnectionEvents. Rejects, and so is called again, while Redis is away. What is malformed can never be
   * applied, so it is counted and left out; the next announcement of its node makes up for it.
   */
  @EventPattern(exchanges.connections.name)
  async connections(@Payload() body: unknown): Promise<void> {
    const all = itemsOf(body);
    const events = all.flatMap((one) => {
      const result = connectionEvent.safeParse(one);
      return result.success ? [result.data] : [];
    });
    const taken = await this.store.apply(events);
    const malformed = all.length - events.length;
    if (malformed > 0) log.error({ malformed }, 'Malformed connection events were left out.');
    connectionEvents.inc({ outcome: 'malformed' }, malformed);
    connectionEvents.inc({ outcome: 'taken' }, taken);
    connectionEvents.inc({ outcome: 'outdated' }, events.length - taken);
  }
}
