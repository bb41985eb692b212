import {
  envelopes,
  laneOf,
  limits,
  PARTITIONS,
  type AccountChange,
  type LogEvent,
  type QueryReply,
} from '@parley/contracts';
import { randomUUID } from 'node:crypto';
import { TestLog } from './log';
import { Peer } from './peer';

const ANNOUNCE_MS = 200;

/**
 * Messaging as a realtime node sees it. Rows are published as they are made; a spec may lose them, hold them back, or
 * double them. Specs only.
 */
export class MessagingPeer {
  log = new TestLog();
  epoch: string = randomUUID();
  /** What becomes of a row; replaced by specs that lose some. */
  onRow: (partition: number, row: LogEvent) => void = (partition, row) => this.publish(partition, [row]);
  /** Awaited before memberships are answered, after they were read. */
  beforeJoinAnswer: (userId: string) => Promise<void> = () => Promise.resolve();
  /** Awaited before rows are answered. */
  beforeReplayAnswer: (partition: number) => Promise<void> = () => Promise.resolve();
  /** What the account part of `sync` says. */
  accountChanges: AccountChange[] = [];
  joinsAsked = 0;
  readonly peer: Peer;
  private timer?: NodeJS.Timeout;

  constructor(url: string) {
    this.peer = new Peer(url, 'messaging', { queries: true, commands: true });
    const { peer } = this;
    peer.answer('message.send', (data) => this.log.send(data));
    peer.answer('message.edit', (data) => this.log.edit(data));
    peer.answer('read.mark', ({ number }) => ({ readNumber: number }));
    peer.answer('messaging.epoch', () => ({ epoch: this.epoch, partitions: PARTITIONS }));
    peer.answer('messaging.replay', async ({ partition, after, limit }) => {
      await this.beforeReplayAnswer(partition);
      const head = this.log.positions()[partition] ?? 0;
      return { epoch: this.epoch, head, rows: this.log.after(partition, after, limit) };
    });
    peer.answer('messaging.join', ({ userId }) => this.join(userId));
    peer.answer('messaging.account', () => ({
      cursor: 'cursor-2',
      more: false,
      changes: this.accountChanges,
    }));
    this.listenToLog();
  }

  async start(): Promise<void> {
    await this.peer.start();
    this.peer.membershipOf.onNewcomer(() => this.announceOwner());
    this.timer = setInterval(() => this.announceOwner(), ANNOUNCE_MS);
    this.announceOwner();
  }

  stop(): Promise<void> {
    clearInterval(this.timer);
    return this.peer.stop();
  }

  publish(partition: number, rows: LogEvent[]): void {
    const envelope = { v: envelopes.events.written, epoch: this.epoch, partitions: [{ partition, rows }] };
    this.peer.publisher.events(laneOf(partition), JSON.stringify(envelope));
  }

  private announceHeads(): void {
    const heads = Object.fromEntries(this.log.positions().entries());
    this.peer.publisher.heads({ epoch: this.epoch, heads });
  }

  /** As owners do, again and again while it goes on: a node that is busy with one announcement leaves out what comes meanwhile. */
  async announcingHeads<T>(work: () => Promise<T>): Promise<T> {
    this.announceHeads();
    const timer = setInterval(() => this.announceHeads(), 100);
    return work().finally(() => clearInterval(timer));
  }

  digest(versions: Record<string, number>): void {
    this.peer.publisher.digest({ epoch: this.epoch, versions });
  }

  /** A backup was restored: another log under another epoch. */
  restore(): void {
    this.epoch = randomUUID();
    this.log = new TestLog();
    this.listenToLog();
  }

  private listenToLog(): void {
    this.log.onRow = (partition, row) => this.onRow(partition, row);
  }

  private announceOwner(): void {
    const open = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, partition) => [partition, 1]));
    const { instanceId, publisher } = this.peer;
    publisher.owner({ instanceId, open, closing: {} });
  }

  private async join(userId: string): Promise<QueryReply<'messaging.join'>> {
    this.joinsAsked += 1;
    const mine = this.log.mine(userId);
    const answer = {
      epoch: this.epoch,
      accountCursor: 'cursor-1',
      conversations: mine.slice(0, limits.readyConversationsMax),
      nextCursor: mine.length > limits.readyConversationsMax ? 'more' : null,
      memberOf: this.log.memberOf(userId).map(({ conversation }) => conversation.id),
      positions: this.log.positions(),
    };
    await this.beforeJoinAnswer(userId);
    return answer;
  }
}
