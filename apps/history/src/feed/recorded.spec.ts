import type { LogEvent, MessagePage } from '@parley/contracts';
import { formerRelease, freshVhost, until } from '@parley/testing';
import { HistoryUnderTest } from '../testing/history';
import { MessagingPeer } from '../testing/messaging.peer';
import { describeStores } from '../testing/store';

describeStores('what the release before wrote', ({ fresh }) => {
  it('goes into the view', async () => {
    const former = formerRelease();
    const { conversationId } = former;
    const own = former.rows.filter((row) => row.conversationId === conversationId);
    const created = own.find((row) => row.kind === 'conversation.created') as Extract<
      LogEvent,
      { kind: 'conversation.created' }
    >;

    const [store, amqpUrl] = await Promise.all([fresh(), freshVhost()]);
    // Its log stays empty: rows that are refused come from nowhere else.
    const peer = await MessagingPeer.start(amqpUrl);
    peer.epoch = former.epoch;
    const history = await HistoryUnderTest.start(store, amqpUrl);
    await history.ready(200);
    former.replay(peer.broker, 'events');

    const version = Math.max(...own.map((row) => row.version ?? 0));
    const path = `/v1/conversations/${conversationId}/messages?limit=100&atLeast=${version}`;
    const reader = created.members[0]?.userId;
    const page = await until('the view has every row', async () => {
      const { status, body } = await history.get<MessagePage>(reader, path);
      return status === 200 && body;
    });
    const sent = own.flatMap((row) => (row.kind === 'message.created' ? [row.message.id] : []));
    expect(page.items.map(({ id }) => id)).toEqual(sent);
    await history.shows('history_parked_events', 0);

    await history.service.close();
    await peer.stop();
  });
});
