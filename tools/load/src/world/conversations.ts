import { randomUUID } from 'node:crypto';
import type { Conversation, ConversationType } from '@parley/contracts';
import { requestJson } from './http';
import type { Person } from './people';

/** A conversation and the people in it, the creator first. */
export interface Circle {
  conversation: Conversation;
  members: Person[];
}

/** Creates a conversation of `members`, the first of whom becomes its owner. */
export async function createCircle(
  messagingUrl: string,
  type: ConversationType,
  members: Person[],
  tokenOf: (person: Person) => string,
): Promise<Circle> {
  const [creator, ...others] = members;
  if (!creator) throw new Error('A conversation needs somebody to create it.');
  const { conversation } = await requestJson<{ conversation: Conversation }>(
    'POST',
    `${messagingUrl}/v1/conversations`,
    {
      accessToken: tokenOf(creator),
      headers: { 'idempotency-key': randomUUID() },
      body: {
        type,
        memberIds: others.map((person) => person.userId),
        ...(type === 'channel' ? { title: `Room of ${members.length}` } : {}),
      },
    },
  );
  return { conversation, members };
}

/** Cuts `people` into neighbours of `size`; those that are left over are left out. */
export function circlesOf<T>(people: readonly T[], size: number): T[][] {
  const circles: T[][] = [];
  for (let at = 0; at + size <= people.length; at += size) circles.push(people.slice(at, at + size));
  return circles;
}
