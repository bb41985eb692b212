import { randomUUID } from 'node:crypto';
import type { Message } from '@parley/contracts';
import { freshVhost, interruptible, type Interruptible, until } from '@parley/testing';
import { HistoryUnderTest } from './history';
import { MessagingPeer } from './messaging.peer';
import { postgres, type TestStoreKind } from './store';

/** One running instance, the messaging that feeds it, and three people. Specs only. */
export class World {
  alice = randomUUID();
  bob = randomUUID();
  /** Never in any conversation. */
  mallory = randomUUID();

  private constructor(
    readonly history: HistoryUnderTest,
    readonly peer: MessagingPeer,
    /** The instance's own lines to its servers. */
    readonly store: Interruptible,
    readonly broker: Interruptible,
  ) {}

  static async start(kind: TestStoreKind = postgres): Promise<World> {
    const amqpUrl = await freshVhost();
    const store = await kind.fresh();
    const name = store.MESSAGE_STORE === 'mongodb' ? 'MONGODB_URL' : 'DATABASE_URL';
    const line = await interruptible(store[name] ?? '');
    const broker = await interruptible(amqpUrl);
    const peer = await MessagingPeer.start(amqpUrl);
    const history = await HistoryUnderTest.start({ ...store, [name]: line.url }, broker.url);
    await history.ready(200);
    return new World(history, peer, line, broker);
  }

  /** Alice's group with bob, with so many messages. */
  talk(messages: number): string {
    const id = this.peer.log.create('group', [this.alice, this.bob]);
    for (let i = 1; i <= messages; i += 1) this.peer.log.send(id, this.alice, `message ${i}`);
    return id;
  }

  /** A message as the log has it now. */
  message(conversationId: string, number: number): Message {
    const message = this.peer.log.of(conversationId).messages.get(number);
    if (!message) throw new Error('There is no such message.');
    return message;
  }

  /** Resolves once the view holds everything that was written of the conversation. */
  async settled(id: string): Promise<void> {
    this.peer.publish();
    const { conversation } = this.peer.log.of(id);
    const path = `/v1/conversations/${id}/messages?atLeast=${conversation.version}&limit=1`;
    await until(`the view has version ${conversation.version}`, async () => {
      const { status } = await this.history.get(this.alice, path);
      if (status !== 200 && status !== 503) throw new Error(`the view answered ${status}`);
      return status === 200;
    });
  }

  async stop(): Promise<void> {
    await this.history.service.close();
    await this.peer.stop();
    await this.store.close();
    await this.broker.close();
  }
}
