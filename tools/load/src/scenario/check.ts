import type { MessagePage } from '@parley/contracts';
import type { Circle } from '../world/conversations';
import { mapBounded, requestJson } from '../world/http';
import type { Person } from '../world/people';
import type { Talker } from './talker';

/** One person, with a socket, in the conversation that he talks in. */
export interface Seat {
  circle: Circle;
  person: Person;
  talker: Talker;
}

const READ_PARALLEL = 8;

/** Every acknowledged message must have reached every socket of its conversation: once, in order, without a gap. */
export function checkSockets(seats: Seat[]): string[] {
  const violations: string[] = [];
  const sum = (of: (talker: Talker) => number): number =>
    seats.reduce((total, { talker }) => total + of(talker), 0);
  const unanswered = sum((talker) => talker.inFlight);
  if (unanswered > 0) violations.push(`${unanswered} messages were never answered.`);
  const acked = ackedByCircle(seats);
  const missing = sum((talker) => Math.abs((acked.get(talker.conversationId) ?? 0) - talker.received));
  if (missing > 0) violations.push(`${missing} deliveries are missing or too many.`);
  const skipped = sum((talker) => talker.skipped);
  if (skipped > 0) violations.push(`${skipped} deliveries skipped a version.`);
  const repeated = sum((talker) => talker.repeated);
  if (repeated > 0) violations.push(`${repeated} deliveries came twice or out of order.`);
  const strange = sum((talker) => talker.strange);
  if (strange > 0) violations.push(`${strange} deliveries were of an earlier run.`);
  return violations;
}

/** The history of every conversation must end with the last acknowledged message, and number as many more as before. */
export async function checkHistory(
  seats: Seat[],
  target: { historyUrl: string; tokenOf: (person: Person) => string },
): Promise<string[]> {
  const acked = ackedByCircle(seats);
  const circles = [...new Set(seats.map((seat) => seat.circle))];
  const wrong = await mapBounded(circles, READ_PARALLEL, async (circle) => {
    const added = acked.get(circle.conversation.id) ?? 0;
    return checkCircle(circle, added, target).catch((error: Error) => [error.message]);
  });
  return wrong.flat();
}

async function checkCircle(
  { conversation, members }: Circle,
  added: number,
  target: { historyUrl: string; tokenOf: (person: Person) => string },
): Promise<string[]> {
  // Two people have one direct conversation, so a later run goes on in that of an earlier one.
  const expected = conversation.messageCount + added;
  // It is answered once the view has come that far; until then with 503, which is tried again.
  const version = conversation.version + added;
  const url = `${target.historyUrl}/v1/conversations/${conversation.id}/messages?limit=1&atLeast=${version}`;
  const accessToken = target.tokenOf(members[0] as Person);
  const page = await requestJson<MessagePage>('GET', url, { accessToken });
  const stored = page.items.at(-1)?.number ?? 0;
  return stored === expected ? [] : [`${conversation.id}: ${stored} in the history, ${expected} expected.`];
}

function ackedByCircle(seats: Seat[]): Map<string, number> {
  const acked = new Map<string, number>();
  for (const { talker } of seats)
    acked.set(talker.conversationId, (acked.get(talker.conversationId) ?? 0) + talker.acked);
  return acked;
}
