import { brokerParts } from './asyncapi.broker';
import { socketParts } from './asyncapi.socket';
import { Schemas, type JsonSchema } from './schemas';

/** The AsyncAPI 3 document: the socket, which clients may rely on, and the broker, which is the services' own. */
export function asyncApiDocument(version: string): JsonSchema {
  const schemas = new Schemas();
  const socket = socketParts(schemas);
  const broker = brokerParts(schemas);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'parley',
      version,
      description:
        'The channel `socket` is public. Everything on the server `broker` is between the services and may change with ' +
        'any release. Actions are told from the side of the services.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      gateway: { host: 'localhost:8000', protocol: 'ws', description: 'The gateway.' },
      broker: {
        host: 'localhost:5672',
        protocol: 'amqp',
        description: 'RabbitMQ, reached by the services alone.',
      },
    },
    channels: { ...socket.channels, ...broker.channels },
    operations: { ...socket.operations, ...broker.operations },
    components: { schemas: { ...schemas.all(), ...socket.schemas, ...broker.schemas } },
  };
}
