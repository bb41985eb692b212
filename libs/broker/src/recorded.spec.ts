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
  presenceEntry,
  queries,
  userEvent,
} from '@parley/contracts';
import { formerRelease, freshVhost, until } from '@parley/testing';
import { EnvelopeReader } from './envelope';
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

  it('makes its instances known, and lets commands be sent to its owners', async () => {
    const url = await freshVhost();
    const peer = await new Peer(url, 'realtime').start();
    const members = former.bodiesOf<{ service: 'messaging'; instanceId: string }>('member');
    const owners = former
      .bodiesOf<OwnerAnnouncement>('owner')
      .filter(({ open }) => Object.keys(open).length > 0);
    for (const kind of ['member', 'owner'] as const) former.replay(peer.broker, kind);
    const { service, instanceId } = members[0]!;
    await until('it is known', () => peer.membership.instances(service).includes(instanceId));
    expect(owners.every((owner) => typeof owner.instanceId === 'string')).toBe(true);
    await peer.stop();
  });
});
