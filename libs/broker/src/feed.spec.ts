import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LogEvent, PartitionRows } from '@parley/contracts';
import { LANES, laneOf, PARTITIONS } from '@parley/contracts';
import { freshVhost, until } from '@parley/testing';
import { LaneFeed } from './feed';
import { RowsDoNotFollow } from './feed.repair';
import { Peer } from './testing/peer';

function row(position: number): LogEvent {
  return {
    kind: 'conversation.deleted',
    position,
    conversationId: '00000000-0000-7000-8000-000000000001',
    version: position,
    at: '2026-01-01T00:00:00.000Z',
    actorId: null,
  };
}

/** A log in memory behind a messaging peer, and consumers that share one store of positions. */
class World {
  readonly heads = new Map<number, number>();
  /** Positions that the log of every partition has lost. */
  readonly lost = new Set<number>();
  epoch = 'one';
  readonly stored = new Map<number, number>();
  readonly applied: { by: string; partition: number; position: number }[] = [];
  private readonly heard = new Set<() => void>();
  readonly peers: Peer[] = [];
  readonly feeds: LaneFeed[] = [];

  constructor(readonly url: string) {}

  async startLog(): Promise<Peer> {
    const peer = new Peer(this.url, 'messaging');
    this.peers.push(peer);
    return peer.start(
      { queries: true },
      {
        'messaging.epoch': () => ({ epoch: this.epoch, partitions: PARTITIONS }),
        'messaging.replay': ({
          partition,
          after,
          limit,
        }: {
          partition: number;
          after: number;
          limit: number;
        }) => {
          const head = this.heads.get(partition) ?? 0;
          const rows = Array.from({ length: Math.max(0, Math.min(limit, head - after)) }, (_, i) =>
            row(after + i + 1),
          ).filter(({ position }) => !this.lost.has(position));
          return { epoch: this.epoch, head, rows };
        },
      },
    );
  }

  async startConsumer(): Promise<{ peer: Peer; feed: LaneFeed }> {
    const peer = new Peer(this.url, 'history');
    const { broker, control, requester, membership } = peer;
    const handler = {
      load: (partitions: number[], epoch: string) => {
        if (epoch !== this.epoch) throw new Error('asked for another epoch');
        return Promise.resolve(
          new Map(partitions.map((partition) => [partition, this.stored.get(partition) ?? 0])),
        );
      },
      positions: (partitions: number[]) =>
        Promise.resolve(new Map(partitions.map((partition) => [partition, this.stored.get(partition) ?? 0]))),
      apply: (batch: PartitionRows[]) => this.apply(peer.instanceId, batch),
    };
    const feed = new LaneFeed({ broker, control, requester, membership, handler });
    this.peers.push(peer);
    this.feeds.push(feed);
    feed.start();
    await peer.start();
    return { peer, feed };
  }

  /** A store's guard: rows that do not follow on what is stored change nothing. */
  private apply(by: string, batch: PartitionRows[]): Promise<void> {
    for (const { partition, rows } of batch) {
      const stored = this.stored.get(partition) ?? 0;
      if (rows[0] && rows[0].position > stored + 1) return Promise.reject(new RowsDoNotFollow());
      for (const { position } of rows) {
        if (position !== (this.stored.get(partition) ?? 0) + 1) continue;
        this.stored.set(partition, position);
        this.applied.push({ by, partition, position });
      }
    }
    for (const resolve of this.heard) resolve();
    this.heard.clear();
    return Promise.resolve();
  }

  publish(from: Peer, partition: number, ...positions: number[]): void {
    this.heads.set(partition, Math.max(this.heads.get(partition) ?? 0, ...positions));
    const body = { v: 1, epoch: this.epoch, partitions: [{ partition, rows: positions.map(row) }] };
    from.publisher.events(laneOf(partition), JSON.stringify(body));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.heard.add(resolve));
  }

  async close(): Promise<void> {
    await Promise.all(this.feeds.map((feed) => feed.stop()));
    await Promise.all(this.peers.map((peer) => peer.stop()));
  }
}

describe('LaneFeed', () => {
  let world: World;
  beforeEach(async () => {
    world = new World(await freshVhost());
  });
  afterEach(() => world.close());

  it('applies what is published, fetches what was lost, and finds a lost last event by its head', async () => {
    const log = await world.startLog();
    await world.startConsumer();
    world.publish(log, 3, 1, 2);
    await world.until(() => world.stored.get(3) === 2);
    world.heads.set(3, 4); // Two that are never published.
    world.publish(log, 3, 5);
    await world.until(() => world.stored.get(3) === 5);
    world.heads.set(3, 6);
    const tell = () => log.publisher.heads({ epoch: world.epoch, heads: { 3: 6 } });
    tell();
    tell();
    await world.until(() => world.stored.get(3) === 6);
    expect(world.applied.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('stops a partition whose log has a hole, says so, and goes on once it is mended', async () => {
    const log = await world.startLog();
    const { feed } = await world.startConsumer();
    world.publish(log, 3, 1);
    await world.until(() => world.stored.get(3) === 1);
    world.lost.add(2);
    world.publish(log, 3, 3);
    world.publish(log, 4, 1);
    await world.until(() => world.stored.get(4) === 1);
    await until('it says so', () => feed.trouble() === 'partition 3 is stopped: after 1 the log has 3');
    expect(world.stored.get(3)).toBe(1);
    expect(feed.stoppedPartitions()).toBe(1);
    world.lost.clear();
    await world.until(() => world.stored.get(3) === 3);
    await until('it says so', () => feed.stoppedPartitions() === 0);
    expect(feed.trouble()).toBeUndefined();
  });

  it('takes the rows of an envelope that it cannot read from the log', async () => {
    const log = await world.startLog();
    const { feed, peer } = await world.startConsumer();
    world.publish(log, 3, 1);
    await world.until(() => world.stored.get(3) === 1);
    world.heads.set(3, 2);
    const later = { v: 99, epoch: world.epoch, partitions: [{ partition: 3, lines: [] }] };
    log.publisher.events(laneOf(3), JSON.stringify(later));
    world.publish(log, 3, 3);
    await world.until(() => world.stored.get(3) === 3);
    while (peer.refused.length === 0) await once(peer.broker, 'refused');
    expect(peer.refused).toEqual(['events tooNew']);
    expect(feed.trouble()).toContain('events of version 99');
  });

  it('begins with what the log has beyond the stored position', async () => {
    world.heads.set(9, 1200);
    world.stored.set(9, 100);
    await world.startLog();
    await world.startConsumer();
    await world.until(() => world.stored.get(9) === 1200);
    expect(world.applied).toHaveLength(1100);
  });

  it('gives a store again what it has lost: before the next rows, and also where none come', async () => {
    const log = await world.startLog();
    await world.startConsumer();
    const applied = () => world.applied.splice(0).map(({ position }) => position);
    world.publish(log, 3, 1, 2, 3);
    await world.until(() => world.stored.get(3) === 3);
    applied();
    world.stored.set(3, 1);
    world.publish(log, 3, 4);
    await world.until(() => world.stored.get(3) === 4);
    expect(applied()).toEqual([2, 3, 4]);
    world.stored.set(3, 0);
    await world.until(() => world.stored.get(3) === 4);
    expect(applied()).toEqual([1, 2, 3, 4]);
  });

  it('finds its backlog after a stop', async () => {
    const log = await world.startLog();
    const { feed, peer } = await world.startConsumer();
    world.publish(log, 5, 1);
    await world.until(() => world.stored.get(5) === 1);
    await feed.stop();
    await peer.stop();
    world.publish(log, 5, 2, 3);
    await world.startConsumer();
    await world.until(() => world.stored.get(5) === 3);
  });

  it('is shared by the instances, and one takes over what another leaves', async () => {
    const log = await world.startLog();
    const first = await world.startConsumer();
    const second = await world.startConsumer();
    for (let round = 1; ; round++) {
      for (let partition = 0; partition < PARTITIONS; partition++) world.publish(log, partition, round);
      await world.until(() =>
        Array.from({ length: PARTITIONS }, (_, p) => world.stored.get(p)).every((at) => at === round),
      );
      const latest = world.applied.filter(({ position }) => position === round);
      const isShared = new Set(latest.map(({ by }) => by)).size === 2;
      if (isShared && first.feed.lanes().length === 8 && second.feed.lanes().length === 8) break;
    }
    await first.feed.stop();
    await first.peer.stop();
    const next = Math.max(...world.stored.values()) + 1;
    for (let partition = 0; partition < PARTITIONS; partition++) world.publish(log, partition, next);
    await world.until(() => [...world.stored.values()].every((at) => at === next));
  });

  it('stops a partition that is ahead of the log, and says so', async () => {
    world.stored.set(7, 10);
    world.heads.set(7, 4);
    const log = await world.startLog();
    const { feed } = await world.startConsumer();
    world.publish(log, 8, 1);
    await world.until(() => world.stored.get(8) === 1);
    expect(feed.trouble()).toContain('7');
    expect(feed.position(7)).toBeUndefined();
  });

  it('begins afresh when messaging confirms another epoch, and ignores strangers', async () => {
    const log = await world.startLog();
    await world.startConsumer();
    world.publish(log, 2, 1, 2, 3);
    await world.until(() => world.stored.get(2) === 3);
    const stranger = { v: 1, epoch: 'stranger', partitions: [{ partition: 2, rows: [row(4)] }] };
    log.publisher.events(laneOf(2), JSON.stringify(stranger));
    world.epoch = 'two';
    world.stored.clear();
    world.heads.set(2, 1);
    world.publish(log, 2, 1);
    await world.until(() => world.stored.get(2) === 1);
    expect(world.applied.map(({ position }) => position)).toEqual([1, 2, 3, 1]);
  });

  it('ends in peace while it asks for the epoch', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const log = await world.startLog();
    const { feed, peer } = await world.startConsumer();
    await until('it has all lanes', () => feed.lanes().length === LANES);
    await log.stop();
    const silent = await new Peer(world.url, 'messaging').start();
    world.peers.push(silent);
    const stranger = { v: 1, epoch: 'stranger', partitions: [{ partition: 2, rows: [row(1)] }] };
    silent.publisher.events(laneOf(2), JSON.stringify(stranger));
    await until('it asks', () => feed.currentEpoch() === undefined);
    await feed.stop();
    await peer.stop();
    await nextTurn();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
