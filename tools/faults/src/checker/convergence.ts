import { digestOf } from './digest';
import type { FreshConversation, HeldConversation, Observations, Violation } from './observations';
import { sorted } from './view';

/** What a client holds after it was left alone is what a fresh reader sees: state(stale) + sync = state(fresh). */
export function checkConvergence({ held, fresh }: Observations): Violation[] {
  const byId = new Map(fresh.map((one) => [one.conversationId, one]));
  return held.flatMap((one) => compare(one, byId.get(one.conversationId)));
}

function compare(held: HeldConversation, fresh: FreshConversation | undefined): Violation[] {
  const { conversationId, userId } = held;
  const violations: Violation[] = [];
  const add = (detail: string): number =>
    violations.push({ kind: 'diverged', conversationId, detail: `${userId} ${detail}` });
  if (!fresh) {
    add('holds what nobody can read');
    return violations;
  }
  if (held.version !== fresh.version) add(`stands at ${held.version}, the newest is ${fresh.version}`);
  const holds = new Map(held.messages.map((message) => [message.id, message]));
  for (const message of fresh.messages) {
    const own = holds.get(message.id);
    holds.delete(message.id);
    if (!own && message.number > held.completeAbove) add(`lacks message ${message.number}`);
    else if (own && digestOf(own) !== digestOf(message))
      add(`has message ${message.number} in another state`);
  }
  for (const message of holds.values()) add(`has message ${message.number}, which is not there`);
  if (held.members && fresh.members && digestOf(sorted(held.members)) !== digestOf(sorted(fresh.members)))
    add('has other members');
  return violations;
}
