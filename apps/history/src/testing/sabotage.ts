import { type Message, partitionOf } from '@parley/contracts';
import { createConnection } from 'mongoose';
import { Client } from 'pg';
import { encodeMessage } from '../view/message.codec';
import { collectionsOf, keyOf, scopeOf } from '../view/mongo.documents';
import type { StoreEnvironment } from './store';

/** What befalls a store behind the service's back. Specs only. */
export interface Sabotage {
  /** From now on it takes no new message with this body. FerretDB cannot do that, and says so. */
  refuse(body: string): Promise<void>;
  /** It takes every message again. */
  accept(): Promise<void>;
  /** As a crash of the server, with writes that had not reached the disk: the last message is gone, and all that says so. */
  lose(conversationId: string, number: number): Promise<void>;
  /** This message of a batch is written, and nothing else of it yet: neither those before it nor the head. */
  writeAlone(message: Message): Promise<void>;
  /** The conversation's partition holds another epoch. */
  date(conversationId: string, epoch: string): Promise<void>;
  end(): Promise<void>;
}

export function sabotage(environment: StoreEnvironment): Promise<Sabotage> {
  const { DATABASE_URL, MONGODB_URL } = environment;
  return MONGODB_URL === undefined ? inPostgres(DATABASE_URL ?? '') : inMongo(MONGODB_URL);
}

async function inPostgres(connectionString: string): Promise<Sabotage> {
  const client = new Client({ connectionString, options: '-c search_path=history' });
  await client.connect();
  return {
    async refuse(body) {
      await client.query(`alter table messages add constraint refuse check (body->>'body' <> '${body}')`);
    },
    async accept() {
      await client.query('alter table messages drop constraint refuse');
    },
    async lose(id, number) {
      await client.query('delete from messages where conversation_id = $1 and number = $2', [id, number]);
      await client.query(
        'update conversations set head = $2::bigint, message_count = $2::bigint - 1 where id = $1',
        [id, number],
      );
      await client.query('update applied set position = position - 1 where partition = $1', [
        partitionOf(id),
      ]);
    },
    async writeAlone(message) {
      const { conversationId, number, version, createdAt, id, threadId, pinned } = message;
      await client.query(
        `insert into messages (conversation_id, number, version, created_at, id, thread_id, pinned, body)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [conversationId, number, version, createdAt, id, threadId, pinned, encodeMessage(message)],
      );
    },
    async date(id, epoch) {
      await client.query('update applied set epoch = $2 where partition = $1', [partitionOf(id), epoch]);
    },
    end: () => client.end(),
  };
}

async function inMongo(url: string): Promise<Sabotage> {
  const connection = await createConnection(url).asPromise();
  const db = connection.getClient().db();
  const { applied, conversations, messages } = collectionsOf(db);
  const validate = (validator: object) => db.command({ collMod: messages.collectionName, validator });
  return {
    async refuse(body) {
      await validate({ body: { $not: { $regex: `"body":"${body}"` } } });
    },
    accept: async () => void (await validate({})),
    async lose(id, number) {
      const { generation } = (await applied.findOne({ _id: partitionOf(id) })) ?? { generation: 0 };
      const scope = scopeOf(id, generation);
      await messages.deleteOne({ _id: keyOf(scope, number) });
      await conversations.updateOne({ _id: scope }, { $set: { head: number, messageCount: number - 1 } });
      await applied.updateOne({ _id: partitionOf(id) }, { $inc: { position: -1 } });
    },
    async writeAlone(message) {
      const { conversationId, number, version, createdAt, id, threadId, pinned } = message;
      const { generation } = (await applied.findOne({ _id: partitionOf(conversationId) })) ?? {
        generation: 0,
      };
      const scope = scopeOf(conversationId, generation);
      const _id = keyOf(scope, number);
      await messages.insertOne({
        _id,
        scope,
        id,
        version,
        createdAt: new Date(createdAt),
        ...(threadId !== undefined && { thread: keyOf(threadId, number) }),
        ...(pinned && { pin: _id }),
        body: encodeMessage(message),
      });
    },
    date: async (id, epoch) => void (await applied.updateOne({ _id: partitionOf(id) }, { $set: { epoch } })),
    end: () => connection.close(),
  };
}
