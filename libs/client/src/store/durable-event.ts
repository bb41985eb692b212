import type { ServerPayload } from '@parley/contracts';

/** Server events that carry a change of one conversation's `version`; removal has rules of its own. */
export const durableEventNames = [
  'message:created',
  'message:updated',
  'message:deleted',
  'reaction:changed',
  'conversation:created',
  'conversation:updated',
  'member:changed',
] as const;

export type DurableEventName = (typeof durableEventNames)[number];

export type DurableEvent = {
  [E in DurableEventName]: { name: E; payload: ServerPayload<E> };
}[DurableEventName];

export function isDurable(name: string): name is DurableEventName {
  return (durableEventNames as readonly string[]).includes(name);
}
