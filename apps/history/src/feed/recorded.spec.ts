import type { EventEnvelope, LogEvent, MessagePage } from '@parley/contracts';
import { formerEnvelopes, freshVhost } from '@parley/testing';
import { HistoryUnderTest } from '../testing/history';
import { MessagingPeer } from '../testing/messaging.peer';
import { postgres } from '../testing/store';

test('what the release before wrote goes into the view', async () => {
  const recording = formerEnvelopes();
  const events = recording.envelopes.filter(({ kind }) => kind === 'events');
  const envelopes = events.map(({ body }) => JSON.parse(body) as EventEnvelope);
  const { conversationId } = recording;
  const rows = envelopes.flatMap(({ partitions }) => partitions.flatMap((part) => part.rows));
  const own = rows.filter((row) => row.conversationId === conversationId);
  const created = own.find((row) => row.kind === 'conversation.created') as Extract<
    LogEvent,
    { kind: 'conversation.created' }
  >;

  const [store, amqpUrl] = await Promise.all([postgres.fresh(), freshVhost()]);
  const peer = await MessagingPeer.start(amqpUrl);
  peer.epoch = envelopes[0]?.epoch ?? '';
  const history = await HistoryUnderTest.start(store, amqpUrl);
  await history.ready(200);
  for (const { exchange, key, body } of events) peer.broker.publish(exchange, key, body);

  const version = Math.max(...own.map((row) => row.version ?? 0));
  const path = `/v1/conversations/${conversationId}/messages?limit=100&atLeast=${version}`;
  const reader = created.members[0]?.userId;
  let page = await history.get<MessagePage>(reader, path);
  while (page.status !== 200) page = await history.get<MessagePage>(reader, path);
  const sent = own.flatMap((row) => (row.kind === 'message.created' ? [row.message.id] : []));
  expect(page.body.items.map(({ id }) => id)).toEqual(sent);
  expect(await history.metric('history_parked_events_total')).toBe(0);

  await history.service.close();
  await peer.stop();
});
