import type { Message } from '@parley/contracts';
import { digestOf } from './digest';
import type { ConversationLog } from './log';
import type { FreshConversation, Observations, Violation } from './observations';

/** What a fresh reader sees: every acknowledged message exactly once, no gap in the numbers, the state of the log. */
export function checkView(observations: Observations, logs: Map<string, ConversationLog>): Violation[] {
  return observations.fresh.flatMap((fresh) => [
    ...checkNumbers(fresh),
    ...checkSends(fresh, observations),
    ...checkAgainstLog(fresh, logs.get(fresh.conversationId)),
  ]);
}

function checkNumbers({ conversationId, messages, messageCount }: FreshConversation): Violation[] {
  const violations: Violation[] = [];
  const ids = new Set<string>();
  const clientIds = new Set<string>();
  let number = 0;
  for (const message of messages) {
    const clientId = `${message.senderId} ${message.clientMessageId}`;
    if (ids.has(message.id) || clientIds.has(clientId))
      violations.push({
        kind: 'doubled',
        conversationId,
        detail: `message ${message.number} of ${clientId} is there before`,
      });
    ids.add(message.id);
    clientIds.add(clientId);
    if (message.number !== number + 1)
      violations.push({
        kind: 'gap',
        conversationId,
        detail: `the view shows message ${message.number} after ${number}`,
      });
    number = message.number;
  }
  if (messageCount !== number)
    violations.push({
      kind: 'gap',
      conversationId,
      detail: `the view counts ${messageCount} messages and ends with ${number}`,
    });
  return violations;
}

function checkSends(
  { conversationId, messages }: FreshConversation,
  observations: Observations,
): Violation[] {
  const violations: Violation[] = [];
  const byClientId = new Map(messages.map((message) => [clientKey(message), message]));
  const answers = new Map<string, { messageId: string; number: number }>();
  for (const send of observations.sends) {
    if (send.conversationId !== conversationId) continue;
    const stored = byClientId.get(clientKey(send));
    const name = `message ${send.number} of ${send.senderId}, acknowledged as ${send.messageId},`;
    if (!stored) violations.push({ kind: 'lost', conversationId, detail: `${name} is not there` });
    else if (stored.id !== send.messageId || stored.number !== send.number)
      violations.push({
        kind: stored.id === send.messageId ? 'order' : 'lost',
        conversationId,
        detail: `${name} is there as ${stored.id}, number ${stored.number}`,
      });
    else if (stored.deletedAt === undefined && stored.editedAt === undefined && stored.body !== send.body)
      violations.push({ kind: 'lost', conversationId, detail: `${name} has another body` });
    const earlier = answers.get(clientKey(send));
    if (earlier && earlier.messageId !== send.messageId)
      violations.push({ kind: 'doubled', conversationId, detail: `${name} was also ${earlier.messageId}` });
    answers.set(clientKey(send), send);
  }
  for (const refused of observations.refused) {
    if (refused.conversationId === conversationId && byClientId.has(clientKey(refused)))
      violations.push({
        kind: 'doubled',
        conversationId,
        detail: `${clientKey(refused)} was refused (${refused.code}) and is there`,
      });
  }
  return violations;
}

function checkAgainstLog(fresh: FreshConversation, log: ConversationLog | undefined): Violation[] {
  const { conversationId } = fresh;
  if (!log) return [{ kind: 'lost', conversationId, detail: 'the log does not know it' }];
  const violations: Violation[] = [];
  const add = (detail: string): number => violations.push({ kind: 'view', conversationId, detail });
  if (fresh.version !== log.head) add(`the view stands at ${fresh.version}, the log at ${log.head}`);
  const seen = new Set<string>();
  for (const message of fresh.messages) {
    seen.add(message.id);
    const logged = log.messages.get(message.id);
    if (!logged) add(`message ${message.number} is not in the log`);
    else if (digestOf(logged) !== digestOf(message)) add(`message ${message.number} differs from the log`);
  }
  for (const message of log.messages.values())
    if (!seen.has(message.id)) add(`message ${message.number} of the log is not in the view`);
  if (fresh.members && digestOf(sorted(fresh.members)) !== digestOf(sorted(membersOf(log))))
    add('the members differ from the log');
  return violations;
}

function membersOf(log: ConversationLog) {
  return [...log.members].map(([userId, role]) => ({ userId, role }));
}

/** Members by id, reduced to what the log decides. */
export function sorted(members: { userId: string; role: string }[]) {
  return members.map(({ userId, role }) => ({ userId, role })).sort((a, b) => (a.userId < b.userId ? -1 : 1));
}

function clientKey(one: Pick<Message, 'senderId' | 'clientMessageId'>): string {
  return `${one.senderId} ${one.clientMessageId}`;
}
