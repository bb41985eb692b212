import {
  accountEvent,
  commands,
  connectionEvent,
  digestEnvelope,
  type EnvelopeKind,
  envelopes,
  eventEnvelope,
  headsEnvelope,
  itemsOf,
  PARTITIONS,
  partitionOf,
  presenceEntry,
  queries,
  type ServiceName,
  userEvent,
} from '@parley/contracts';
import { formerRelease, freshVhost, until } from '@parley/testing';
import { v7 } from 'uuid';
import { EnvelopeReader } from './envelope';
import type { RequestContext } from './strategy';
import { Peer } from './testing/peer';
import type { OwnerAnnouncement, ReplyEnvelope, RequestEnvelope } from './wire';
import { replyStatus } from './wire';

const former = formerRelease();

describe('what the release before wrote', () => {
  it.each(Object.keys(envelopes) as EnvelopeKind[])('is read: %s', (kind) => {
    const refused: string[] = [];
    const logger = { info() {}, warn() {}, error() {} };
    const reader = new EnvelopeReader({ logger, onRefused: (_, reason) => refused.push(reason) });
    const all = former.ofKind(kind);
    expect(all.length).toBeGreaterThan(0);
    for (const { body } of all) expect(reader.read(kind, Buffer.from(body))).toEqual(JSON.parse(body));
    expect(refused).toEqual([]);
  });

  it('asks and answers everything, in shapes that the schemas of now take', () => {
    const catalogue = { ...commands, ...queries };
    const asked = new Map<string, keyof typeof catalogue>();
    for (const { replyTo, body } of former.ofKind('requests'))
      for (const [id, , , pattern] of (JSON.parse(body) as RequestEnvelope).requests)
        asked.set(`${replyTo} ${id}`, pattern);
    const answered = new Set<string>();
    for (const { key, body } of former.ofKind('replies'))
      for (const [id, status, data] of (JSON.parse(body) as ReplyEnvelope).replies) {
        const pattern = asked.get(`${key} ${id}`);
        if (status !== replyStatus.ok || pattern === undefined) continue;
        catalogue[pattern].reply.parse(data);
        answered.add(pattern);
      }
    // One that the release before did not know yet is to be named here until it is recorded.
    const isNew = new Set(['auth.sessions']);
    expect([...answered].sort()).toEqual(
      Object.keys(catalogue)
        .filter((pattern) => !isNew.has(pattern))
        .sort(),
    );
  });

  it('has the shapes that the schemas of now take', () => {
    const catalogue = { ...commands, ...queries };
    for (const { requests } of former.bodiesOf<RequestEnvelope>('requests'))
      for (const [, , , pattern, data] of requests) catalogue[pattern].data.parse(data);
    for (const { replies } of former.bodiesOf<ReplyEnvelope>('replies'))
      for (const [id, status] of replies) {
        expect(typeof id).toBe('number');
        expect(Object.values(replyStatus)).toContain(status);
      }
    const schemas = {
      events: eventEnvelope,
      heads: headsEnvelope,
      digest: digestEnvelope,
      users: userEvent,
      accounts: accountEvent,
    } as const;
    for (const [kind, schema] of Object.entries(schemas))
      for (const body of former.bodiesOf(kind as EnvelopeKind)) schema.parse(body);
    for (const body of former.bodiesOf('connections'))
      itemsOf(body).forEach((one) => connectionEvent.parse(one));
    for (const body of former.bodiesOf('presence')) itemsOf(body).forEach((one) => presenceEntry.parse(one));
  });

  it('makes its instances known', async () => {
    const peer = await new Peer(await freshVhost(), 'realtime').start();
    const members = former.bodiesOf<{ service: ServiceName; instanceId: string }>('member');
    former.replay(peer.broker, 'member');
    await until('they are known', () =>
      members.every(({ service, instanceId }) => peer.membership.instances(service).includes(instanceId)),
    );
    await peer.stop();
  });

  it('lets commands be sent to the owners that it announced, under the terms that it named', async () => {
    const [announced] = former
      .bodiesOf<OwnerAnnouncement>('owner')
      .filter(({ open }) => Object.keys(open).length > 0);
    const { instanceId, open } = announced!;
    const url = await freshVhost();
    const asked: [partition: number, term: number][] = [];
    // Stands where the former release's owner stood: it takes what is sent to the recorded id.
    const owner = await new Peer(url, 'messaging', instanceId).start(
      { commands: true },
      {
        'read.mark': ({ number }: { number: number }, { partition, term }: RequestContext) => {
          asked.push([partition, term]);
          return { readNumber: number };
        },
      },
    );
    const asker = await new Peer(url, 'realtime').start();
    // Nobody else announces an owner: what is answered was sent for what is recorded.
    const conversations = new Map<number, string>();
    while (conversations.size < PARTITIONS) {
      const conversationId = v7();
      conversations.set(partitionOf(conversationId), conversationId);
    }
    former.replay(asker.broker, 'owner');
    const partitions = Object.keys(open).map(Number);
    await Promise.all(
      partitions.map((partition) =>
        asker.requester.command('read.mark', {
          conversationId: conversations.get(partition)!,
          actorId: v7(),
          number: 1,
        }),
      ),
    );
    expect(new Map(asked)).toEqual(new Map(partitions.map((each) => [each, open[each]])));
    await Promise.all([asker, owner].map((peer) => peer.stop()));
  });
});
