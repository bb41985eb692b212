import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { accountEvent, exchanges } from '@parley/contracts';
import { Public, counter, getLogger } from '@parley/service';
import { ProfileStore } from './profile.store';

const log = getLogger('ProfileConsumer');

const events = counter('notification_account_events_total', 'Account events, by what became of them.', [
  'outcome',
]);

/** Keeps the copy of names. Rejects, and so is called again with the same event, while the database is away. */
@Public()
@Controller()
export class ProfileConsumer {
  constructor(private readonly store: ProfileStore) {}

  @EventPattern(exchanges.accounts.name)
  async handle(@Payload() body: unknown): Promise<void> {
    const result = accountEvent.safeParse(body);
    if (!result.success) {
      // Trying again would hold up all later events, and never succeed.
      events.inc({ outcome: 'malformed' });
      log.error('A malformed account event was left out.');
      return;
    }
    const event = result.data;
    if (event.kind !== 'user.changed') return;
    const isNew = await this.store.put(event.user, event.sequence);
    events.inc({ outcome: isNew ? 'taken' : 'outdated' });
  }
}
