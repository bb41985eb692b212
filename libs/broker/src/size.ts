import { envelopes, type Message } from '@parley/contracts';

/** RabbitMQ takes a message of 16 MiB at most. At a larger one it closes the channel, and all that waits on its connection is lost. */
const MESSAGE_BYTES_MAX = 16_000_000;
/** What travels in one message together: a character takes up to three bytes. */
const ENVELOPE_CHARACTERS_MAX = 5_000_000;
/**
 * What a page of messages holds at most, save one that is alone. It is read for one person, who asks for the rest: with what
 * else is under way it stays below what may wait for a socket (`limits.socketOutboundBytesMax`).
 */
export const PAGE_CHARACTERS_MAX = 1_000_000;

/** Whether RabbitMQ takes it. */
export function isMessage(text: string): boolean {
  return 3 * text.length <= MESSAGE_BYTES_MAX || Buffer.byteLength(text) <= MESSAGE_BYTES_MAX;
}

/** How many of the first hold no more together than that; one at least, where there is one. */
export function countWithin<T>(
  items: readonly T[],
  charactersMax: number,
  charactersOf: (item: T) => number,
): number {
  let characters = 0;
  const end = items.findIndex((item, i) => {
    characters += charactersOf(item);
    return i > 0 && characters > charactersMax;
  });
  return end < 0 ? items.length : end;
}

/** All of them, in order, in as few parts as travel in one message each. */
export function inEnvelopes<T>(items: readonly T[], charactersOf: (item: T) => number): (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let rest = items; rest.length > 0;) {
    const count = countWithin(rest, ENVELOPE_CHARACTERS_MAX, charactersOf);
    parts.push(count === items.length ? items : rest.slice(0, count));
    rest = rest.slice(count);
  }
  return parts;
}

/** The bodies of as few envelopes as carry these entries, each JSON already, in order. */
export function bodiesOf(kind: 'requests' | 'replies', entries: readonly string[]): string[] {
  const parts = inEnvelopes(entries, ({ length }) => length);
  return parts.map((part) => `{"v":${envelopes[kind].written},"${kind}":[${part.join(',')}]}`);
}

/** About what a message takes as JSON. */
const MESSAGE_CHARACTERS = 450;
const ID_CHARACTERS = 40;
const ENTRY_CHARACTERS = 80;

/** What a message takes as JSON, by a guess that costs little and errs on the safe side where it matters. */
export function charactersOf({ body, mentions, attachments, reactions }: Message): number {
  // Line ends, quotes and backslashes take two.
  let characters = MESSAGE_CHARACTERS + 2 * (body?.length ?? 0) + mentions.length * ID_CHARACTERS;
  for (const { url, name, mimeType } of attachments)
    characters += ENTRY_CHARACTERS + 2 * (url.length + name.length) + mimeType.length;
  for (const { emoji, userIds } of reactions)
    characters += ENTRY_CHARACTERS + emoji.length + userIds.length * ID_CHARACTERS;
  return characters;
}
