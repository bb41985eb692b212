import { controlKeys, type EnvelopeKind, exchanges } from '@parley/contracts';
import { brokerOf, type RabbitServer, type Servers } from '@parley/tool-local';

/** One message as it went over the broker. */
export interface Recorded {
  kind: EnvelopeKind;
  /** Empty for what goes to a queue by its name. */
  exchange: string;
  key: string;
  /** Of requests: the key of the replies to them. */
  replyTo?: string;
  /** The envelope, byte for byte as text. */
  body: string;
}

/** Where RabbitMQ copies everything that is published, once a virtual host is traced. */
const FIREHOSE = 'amq.rabbitmq.trace';

export interface Tap {
  /** What was heard so far, in its order. */
  heard: readonly Recorded[];
  stop(): Promise<void>;
}

/** Hears everything that is published. */
export async function tap(servers: Servers): Promise<Tap> {
  const heard: Recorded[] = [];
  const connection = await brokerOf(servers);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, FIREHOSE, 'publish.#');
  await channel.consume(
    queue,
    (message) => {
      const {
        exchange_name: exchange = '',
        routing_keys: keys = [],
        properties,
      } = (message?.properties.headers ?? {}) as {
        exchange_name?: string;
        routing_keys?: string[];
        properties?: { reply_to?: string };
      };
      const key = keys[0] ?? '';
      const kind = kindOf(exchange, key);
      if (!message || !kind) return;
      const replyTo = kind === 'requests' ? properties?.reply_to : undefined;
      heard.push({
        kind,
        exchange,
        key,
        ...(replyTo !== undefined && { replyTo }),
        body: message.content.toString(),
      });
    },
    { noAck: true },
  );
  await trace(servers.rabbitmq, true);
  const stop = async () => {
    await trace(servers.rabbitmq, false);
    await connection.close();
  };
  return { heard, stop };
}

function kindOf(exchange: string, key: string): EnvelopeKind | undefined {
  switch (exchange) {
    case '':
      return key.includes('.replies.')
        ? 'replies'
        : /\.queries$|\.commands\./.test(key)
          ? 'requests'
          : undefined;
    case exchanges.events.name:
      return 'events';
    case exchanges.control.name:
      return (
        [controlKeys.owner, controlKeys.heads, controlKeys.digest].find((one) => one === key) ?? 'member'
      );
    case exchanges.accounts.name:
      return 'accounts';
    case exchanges.users.name:
      return 'users';
    case exchanges.connections.name:
      return 'connections';
    case exchanges.presence.name:
      return 'presence';
  }
  return undefined;
}

async function trace({ managementUrl, url }: RabbitServer, tracing: boolean): Promise<void> {
  const { username, password, origin } = new URL(managementUrl);
  const host = encodeURIComponent(decodeURIComponent(new URL(url).pathname.slice(1) || '/'));
  const response = await fetch(`${origin}/api/vhosts/${host}`, {
    method: 'PUT',
    headers: {
      authorization: `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ tracing }),
  });
  if (!response.ok) throw new Error(`RabbitMQ does not trace: ${response.status} ${await response.text()}`);
}
