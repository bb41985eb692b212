import type { MongoMigration } from '@parley/service';

const id = { bsonType: 'string', minLength: 36, maxLength: 36 };
const count = { bsonType: 'number', minimum: 1 };
const json = { bsonType: 'string', minLength: 2 };

/**
 * The conversation log. Every index begins with the partition, which is the shard key: a partition lives on one shard,
 * so its unique indexes hold over the whole cluster and every query goes to one place.
 */
export const log: MongoMigration = {
  name: '1764100000000-log',
  async up(schema) {
    await schema.collection('messaging_log', {
      validator: {
        bsonType: 'object',
        required: [
          'partition',
          'position',
          'term',
          'conversationId',
          'version',
          'clientMessageId',
          'at',
          'event',
        ],
        additionalProperties: false,
        properties: {
          _id: { bsonType: 'objectId' },
          partition: { bsonType: 'number', minimum: 0 },
          position: count,
          term: count,
          conversationId: id,
          // Minus the position where the row has none; never 0.
          version: { bsonType: 'number', not: { enum: [0] } },
          number: count,
          messageId: id,
          senderId: id,
          // The position where the row has none.
          clientMessageId: { bsonType: ['string', 'number'] },
          requestHash: { bsonType: 'string' },
          at: { bsonType: 'date' },
          event: json,
          reactors: json,
          effect: json,
        },
      },
      indexes: [
        { name: 'log_position', key: { partition: 1, position: 1 }, unique: true },
        { name: 'log_version', key: { partition: 1, conversationId: 1, version: 1 }, unique: true },
        {
          name: 'log_client_id',
          key: { partition: 1, conversationId: 1, senderId: 1, clientMessageId: 1 },
          unique: true,
        },
        { name: 'log_message', key: { partition: 1, messageId: 1, position: -1 } },
      ],
      shardKey: { partition: 1 },
    });
    await schema.collection('messaging_deployment', {
      validator: {
        bsonType: 'object',
        required: ['_id', 'epoch'],
        additionalProperties: false,
        properties: { _id: { enum: ['log'] }, epoch: { bsonType: 'string', minLength: 1 } },
      },
    });
  },
};
