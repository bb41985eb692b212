import {
  accountEvent,
  commands,
  connectionEvent,
  digestEnvelope,
  eventEnvelope,
  exchanges,
  headsEnvelope,
  presenceEntry,
  queries,
  queues,
  userEvent,
  type QueueSpec,
} from '@parley/contracts';
import { z } from 'zod';
import type { AsyncParts } from './asyncapi.parts';
import type { JsonSchema, Schemas } from './schemas';

type ExchangeName = keyof typeof exchanges;

interface Said {
  name: string;
  summary: string;
  payload: z.ZodType;
}

const version = z.number().int();
const byPartition = z.record(z.string(), z.number().int());

/** What goes through each exchange. */
const said: Record<ExchangeName, Said[]> = {
  events: [{ name: 'committedRows', summary: 'A committed batch, per lane.', payload: eventEnvelope }],
  control: [
    {
      name: 'heartbeat',
      summary: 'An instance is there, or leaves. Key `member.<service>`.',
      payload: z.object({ v: version, service: z.string(), instanceId: z.string(), leaving: z.boolean() }),
    },
    {
      name: 'ownerAnnouncement',
      summary: "An owner's partitions with their terms, and those that are closing. Key `owner`.",
      payload: z
        .object({ v: version, instanceId: z.string(), open: byPartition, closing: byPartition })
        .loose(),
    },
    { name: 'heads', summary: 'Last positions per partition. Key `heads`.', payload: headsEnvelope },
    { name: 'digest', summary: 'Conversations that changed lately. Key `digest`.', payload: digestEnvelope },
  ],
  accounts: [{ name: 'accountEvent', summary: "From auth's outbox, at least once.", payload: accountEvent }],
  users: [{ name: 'userEvent', summary: 'For the sockets of single users.', payload: userEvent }],
  connections: [
    {
      name: 'connectionEvents',
      summary: 'Who has how many sockets on which node.',
      payload: z.array(connectionEvent),
    },
  ],
  presence: [
    {
      name: 'presenceChanges',
      summary: 'Who came, went or changed status.',
      payload: z.array(presenceEntry),
    },
  ],
};

/** Every queue, with the names that vary in braces. */
const queueSpecs: Record<keyof typeof queues, { spec: QueueSpec; parameters: string[] }> = {
  commands: { spec: queues.commands('{instanceId}'), parameters: ['instanceId'] },
  queries: { spec: queues.queries('{service}' as never), parameters: ['service'] },
  replies: {
    spec: queues.replies('{service}' as never, '{instanceId}'),
    parameters: ['service', 'instanceId'],
  },
  lane: { spec: queues.lane('{service}' as never, '{lane}' as never), parameters: ['service', 'lane'] },
  liveLane: {
    spec: queues.liveLane('{service}' as never, '{lane}' as never),
    parameters: ['service', 'lane'],
  },
  control: {
    spec: queues.control('{service}' as never, '{instanceId}'),
    parameters: ['service', 'instanceId'],
  },
  inbox: { spec: queues.inbox('{service}' as never, '{instanceId}'), parameters: ['service', 'instanceId'] },
  liveAccounts: {
    spec: queues.liveAccounts('{service}' as never, '{instanceId}'),
    parameters: ['service', 'instanceId'],
  },
  accounts: { spec: queues.accounts('{service}' as never), parameters: ['service'] },
  connections: { spec: queues.connections(), parameters: [] },
};

/** Queues that take what an exchange gives them carry its messages. */
const boundTo: Partial<Record<keyof typeof queues, ExchangeName[]>> = {
  lane: ['events'],
  liveLane: ['events'],
  control: ['control'],
  inbox: ['users', 'presence'],
  liveAccounts: ['accounts'],
  accounts: ['accounts'],
  connections: ['connections'],
};

const parameterNotes: Record<string, string> = {
  service: 'Name of the app.',
  instanceId: 'Id of one running instance.',
  lane: 'Number of the lane, from 0.',
};

export function brokerParts(schemas: Schemas): AsyncParts {
  const parts: AsyncParts = { channels: {}, operations: {}, schemas: {} };
  for (const name of Object.keys(exchanges) as ExchangeName[]) addExchange(parts, schemas, name);
  for (const name of Object.keys(queueSpecs) as (keyof typeof queues)[]) addQueue(parts, schemas, name);
  addRequests(parts, schemas, 'command', 'commandsQueue', commands);
  addRequests(parts, schemas, 'query', 'queriesQueue', queries);
  return parts;
}

function addExchange(parts: AsyncParts, schemas: Schemas, name: ExchangeName): void {
  const { name: address, type } = exchanges[name];
  const key = `${name}Exchange`;
  parts.channels[key] = {
    address,
    title: `Exchange ${address}`,
    servers: [{ $ref: '#/servers/broker' }],
    bindings: {
      amqp: { is: 'routingKey', exchange: { name: address, type, durable: true, autoDelete: false } },
    },
    messages: Object.fromEntries(
      said[name].map((what) => [
        what.name,
        messageOf(what.name, what.summary, schemas.of(what.payload, 'output')),
      ]),
    ),
  };
  for (const what of said[name]) {
    parts.operations[what.name] = {
      action: 'send',
      summary: what.summary,
      channel: { $ref: `#/channels/${key}` },
      messages: [{ $ref: `#/channels/${key}/messages/${what.name}` }],
    };
  }
}

function addQueue(parts: AsyncParts, schemas: Schemas, name: keyof typeof queues): void {
  const { spec, parameters } = queueSpecs[name];
  const incoming = (boundTo[name] ?? []).flatMap((exchange) => said[exchange]);
  parts.channels[`${name}Queue`] = {
    address: spec.name,
    title: `Queue ${spec.name}`,
    servers: [{ $ref: '#/servers/broker' }],
    ...(parameters.length > 0 && {
      parameters: Object.fromEntries(parameters.map((key) => [key, { description: parameterNotes[key] }])),
    }),
    bindings: {
      amqp: {
        is: 'queue',
        queue: { name: spec.name, durable: spec.durable, exclusive: spec.exclusive, autoDelete: false },
      },
    },
    'x-bounds': {
      lengthMax: spec.lengthMax,
      bytesMax: spec.bytesMax,
      ttlMs: spec.ttlMs,
      expiresMs: spec.expiresMs,
    },
    messages: Object.fromEntries(
      incoming.map((what) => [
        what.name,
        messageOf(what.name, what.summary, schemas.of(what.payload, 'output')),
      ]),
    ),
  };
}

type Catalogue = Record<string, { data: z.ZodType; reply: z.ZodType; timeoutMs: number }>;

/** Requests travel in envelopes, several at once; what stands here is one request and its reply. */
function addRequests(
  parts: AsyncParts,
  schemas: Schemas,
  kind: 'command' | 'query',
  queue: string,
  catalogue: Catalogue,
): void {
  for (const [name, { data, reply, timeoutMs }] of Object.entries(catalogue)) {
    const key = `${kind}${name.replace(/(?:^|\.)(\w)/g, (_, letter: string) => letter.toUpperCase())}`;
    const replies = 'repliesQueue';
    addMessage(
      parts,
      queue,
      key,
      messageOf(name, `Answered within ${timeoutMs} ms.`, schemas.of(data, 'output')),
    );
    addMessage(parts, replies, `${key}Reply`, messageOf(`${name} (reply)`, '', schemas.of(reply, 'output')));
    parts.operations[key] = {
      action: 'receive',
      channel: { $ref: `#/channels/${queue}` },
      messages: [{ $ref: `#/channels/${queue}/messages/${key}` }],
      reply: {
        channel: { $ref: `#/channels/${replies}` },
        messages: [{ $ref: `#/channels/${replies}/messages/${key}Reply` }],
      },
    };
  }
}

function addMessage(parts: AsyncParts, channel: string, key: string, message: JsonSchema): void {
  (parts.channels[channel]!['messages'] as Record<string, JsonSchema>)[key] = message;
}

function messageOf(name: string, summary: string, payload: JsonSchema): JsonSchema {
  return { name, title: name, ...(summary && { summary }), payload };
}
