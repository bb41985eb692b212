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
import { formerEnvelopes, freshVhost, type RecordedEnvelope } from '@parley/testing';
import { EnvelopeReader } from './envelope';
import { Peer } from './testing/peer';
import type { OwnerAnnouncement, ReplyEnvelope, RequestEnvelope } from './wire';
import { replyStatus } from './wire';

jest.setTimeout(60_000);

const recorded = formerEnvelopes().envelopes;
const ofKind = (kind: EnvelopeKind): RecordedEnvelope[] => recorded.filter((one) => one.kind === kind);
const bodiesOf = <T>(kind: EnvelopeKind): T[] => ofKind(kind).map(({ body }) => JSON.parse(body) as T);

describe('what the release before wrote', () => {
  it.each(Object.keys(envelopes) as EnvelopeKind[])('is read: %s', (kind) => {
    const refused: string[] = [];
    const logger = { info() {}, warn() {}, error() {} };
    const reader = new EnvelopeReader({ logger, onRefused: (_, reason) => refused.push(reason) });
    const all = ofKind(kind);
    expect(all.length).toBeGreaterThan(0);
    for (const { body } of all) expect(reader.read(kind, Buffer.from(body))).toEqual(JSON.parse(body));
    expect(refused).toEqual([]);
  });

  it('has the shapes that the schemas of now take', () => {
    const catalogue = { ...commands, ...queries };
    for (const { requests } of bodiesOf<RequestEnvelope>('requests'))
      for (const [, , , pattern, data] of requests) catalogue[pattern].data.parse(data);
    for (const { replies } of bodiesOf<ReplyEnvelope>('replies'))
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
      for (const body of bodiesOf(kind as EnvelopeKind)) schema.parse(body);
    for (const body of bodiesOf('connections')) itemsOf(body).forEach((one) => connectionEvent.parse(one));
    for (const body of bodiesOf('presence')) itemsOf(body).forEach((one) => presenceEntry.parse(one));
  });

  it('makes its instances known, and lets commands be sent to its owners', async () => {
    const url = await freshVhost();
    const peer = await new Peer(url, 'realtime').start();
    const members = bodiesOf<{ service: 'messaging'; instanceId: string }>('member');
    const owners = bodiesOf<OwnerAnnouncement>('owner').filter(({ open }) => Object.keys(open).length > 0);
    for (const kind of ['member', 'owner'] as const)
      for (const { exchange, key, body } of ofKind(kind)) peer.broker.publish(exchange, key, body);
    const { service, instanceId } = members[0]!;
    while (!peer.membership.instances(service).includes(instanceId))
      await new Promise((resolve) => setImmediate(resolve));
    expect(owners.every((owner) => typeof owner.instanceId === 'string')).toBe(true);
    await peer.stop();
  });
});
