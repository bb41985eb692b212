import { randomUUID } from 'node:crypto';
import { neighbourOf } from './log';
import type { MessagingPeer, RealtimePeer } from './peers';

/**
 * Resolves once everything written so far in the partitions of these conversations is applied: a mention of a witness
 * comes after it in each.
 */
export async function settled(
  { messaging, realtime }: { messaging: MessagingPeer; realtime: RealtimePeer },
  conversationIds: string[],
): Promise<void> {
  const marks = conversationIds.map((conversationId) => {
    const witness = randomUUID();
    const id = messaging.log.create('channel', [witness], neighbourOf(conversationId));
    return { witness, message: messaging.log.send(id, randomUUID(), [witness]) };
  });
  messaging.publish();
  await Promise.all(marks.map(({ witness, message }) => realtime.until(witness, message.id)));
}
