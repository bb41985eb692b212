import type { EnvelopeKind } from '@parley/contracts';
import { exchanges, queues } from '@parley/contracts';
import type { Channel, ChannelModel } from 'amqplib';
import type { Broker } from './broker';
import { assertQueue, closeTogether } from './broker';

type Listener = (body: unknown) => void;

/** This instance's exclusive copy of the control exchange: heartbeats, owners, heads, digests. */
export class ControlInbox {
  private readonly listeners = new Map<string, Set<Listener>>();
  private channel?: Channel;

  constructor(private readonly broker: Broker) {
    void broker.onConnection((connection) => this.setUp(connection));
  }

  /** Listens to one routing key, or to all below a first word (`member.*`). */
  on(key: string, listener: Listener): void {
    const set = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, set);
    set.add(listener);
    const channel = this.channel;
    if (channel) void this.bind(channel, key).catch(() => undefined); // A lost channel binds all keys anew.
  }

  private async bind(channel: Channel, key: string): Promise<void> {
    const { service, instanceId } = this.broker.options;
    await channel.bindQueue(queues.control(service, instanceId).name, exchanges.control.name, key);
  }

  private async setUp(connection: ChannelModel): Promise<void> {
    const { service, instanceId, logger } = this.broker.options;
    const channel = await connection.createChannel();
    closeTogether(connection, channel, logger);
    const queue = queues.control(service, instanceId);
    await assertQueue(channel, queue);
    for (const key of this.listeners.keys()) await this.bind(channel, key);
    this.channel = channel;
    channel.once('close', () => (this.channel = undefined));
    await this.broker.consume(
      connection,
      channel,
      queue,
      (message) => {
        const key = message.fields.routingKey;
        const kind = key.split('.')[0] as EnvelopeKind;
        const body = this.broker.envelopes.read(kind, message.content);
        if (body === undefined) return;
        const general = `${kind}.*`;
        for (const listener of this.listeners.get(key) ?? []) listener(body);
        for (const listener of this.listeners.get(general) ?? []) listener(body);
      },
      { noAck: true },
    );
  }
}
