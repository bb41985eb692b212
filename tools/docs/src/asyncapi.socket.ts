import {
  clientEvents,
  closeReasons,
  errorCatalog,
  eventHeaders,
  serverEvents,
  SOCKET_PATH,
  type ClientEvent,
  type ErrorCode,
  type ServerEvent,
} from '@parley/contracts';
import type { AsyncParts } from './asyncapi.parts';
import type { JsonSchema, Schemas } from './schemas';

const CHANNEL = 'socket';
const message = (name: string) => ({ $ref: `#/channels/${CHANNEL}/messages/${name}` });

function ackOf(reply: JsonSchema): JsonSchema {
  return {
    oneOf: [
      { allOf: [{ type: 'object', properties: { ok: { const: true } }, required: ['ok'] }, reply] },
      { $ref: '#/components/schemas/SocketRefusal' },
    ],
  };
}

const reasons = Object.entries(closeReasons)
  .map(([code, { reconnect }]) => `\`${code}\` (${reconnect ? 'come back' : 'do not come back'})`)
  .join(', ');

const repeatable = (Object.keys(errorCatalog) as ErrorCode[]).filter((code) => errorCatalog[code].retry);

/** The Socket.IO part: one channel for both directions, every client event with its ack. */
export function socketParts(schemas: Schemas): AsyncParts {
  const messages: Record<string, JsonSchema> = {};
  const operations: Record<string, JsonSchema> = {};
  for (const event of Object.keys(clientEvents) as ClientEvent[]) {
    const { payload, reply } = clientEvents[event];
    const key = keyOf(event);
    messages[key] = {
      name: event,
      title: event,
      headers: schemas.of(eventHeaders, 'input'),
      payload: schemas.of(payload, 'input'),
    };
    messages[`${key}Ack`] = {
      name: `${event} (ack)`,
      title: `Ack of ${event}`,
      payload: ackOf(schemas.of(reply, 'output')),
    };
    operations[key] = {
      action: 'receive',
      channel: { $ref: `#/channels/${CHANNEL}` },
      messages: [message(key)],
      reply: { channel: { $ref: `#/channels/${CHANNEL}` }, messages: [message(`${key}Ack`)] },
    };
  }
  for (const event of Object.keys(serverEvents) as ServerEvent[]) {
    const key = keyOf(event);
    messages[key] = {
      name: event,
      title: event,
      ...(event === 'session:closing' && { description: `Why the server closes the socket: ${reasons}.` }),
      payload: schemas.of(serverEvents[event], 'output'),
    };
    operations[key] = {
      action: 'send',
      channel: { $ref: `#/channels/${CHANNEL}` },
      messages: [message(key)],
    };
  }
  return {
    channels: {
      [CHANNEL]: {
        address: SOCKET_PATH,
        title: 'The socket',
        description:
          'Socket.IO 4, default parser, websocket transport only. The access token comes as an `Authorization: Bearer` ' +
          'header, or a ticket as the query parameter `ticket`. Every client event takes an ack. `ready` comes first. ' +
          "A client event's headers, where there are any, are its second argument, between payload and ack.",
        servers: [{ $ref: '#/servers/gateway' }],
        bindings: {
          ws: {
            query: { type: 'object', properties: { ticket: { type: 'string' } } },
            headers: { type: 'object', properties: { authorization: { type: 'string' } } },
          },
        },
        messages,
      },
    },
    operations,
    schemas: {
      SocketRefusal: {
        type: 'object',
        description: 'The ack of an event that was refused.',
        properties: {
          ok: { const: false },
          error: {
            type: 'object',
            properties: {
              code: {
                type: 'string',
                enum: Object.keys(errorCatalog),
                description: `May be sent again: ${repeatable.join(', ')}.`,
              },
              message: { type: 'string' },
              retryAfterMs: { type: 'integer' },
            },
            required: ['code', 'message'],
          },
        },
        required: ['ok', 'error'],
      },
    },
  };
}

function keyOf(event: string): string {
  return event.replace(/:(\w)/g, (_, letter: string) => letter.toUpperCase());
}
