/**
 * Looks into Socket.IO packets byte by byte. Deliveries are the bulk of what the generator receives, so the few facts
 * that it needs of them (the version, the time of sending) are read in place, without making strings or objects.
 */

const ZERO = 48;
const NINE = 57;

/** Marks the time of sending inside a body; no id, key or timestamp of a packet contains it. */
const TIME_MARK = '~';
const TIME_MARK_BYTE = TIME_MARK.charCodeAt(0);
const TIME_DIGITS = 12;

const MESSAGE_CREATED = Buffer.from('["message:created",');
const VERSION = Buffer.from('"version":');
/** Where `"version":` stands when `conversationId` comes first, counted from the event's opening bracket. */
const VERSION_USUALLY_AT = '["message:created",{"conversationId":"00000000-0000-0000-0000-000000000000",'
  .length;

/** A body that carries `sentAtUs`, padded to `chars` characters. */
export function stampedBody(sentAtUs: number, chars: number): string {
  const stamp = TIME_MARK + String(Math.round(sentAtUs)).padStart(TIME_DIGITS, '0');
  return stamp + FILLER.slice(0, Math.max(0, chars - stamp.length));
}
const FILLER = ' See you at noon by the fountain, and bring the tickets please.'.repeat(200);

/** The time in microseconds that `stampedBody` put into a packet's `[start, end)`; -1 when there is none. */
export function readStamp(buffer: Buffer, start: number, end: number): number {
  const mark = buffer.indexOf(TIME_MARK_BYTE, start);
  if (mark < 0 || mark + TIME_DIGITS >= end) return -1;
  return readNumber(buffer, mark + 1, mark + 1 + TIME_DIGITS);
}

/** What a `message:created` event of this conversation begins with, as the service writes it. */
export function createdPrefix(conversationId: string): Buffer {
  return Buffer.from(`["message:created",{"conversationId":"${conversationId}",`);
}

/** Whether the JSON array at `start` is a `message:created` event. */
export function isMessageCreated(buffer: Buffer, start: number, end: number): boolean {
  return startsWith(buffer, start, end, MESSAGE_CREATED);
}

/** The conversation's version of a `message:created` event whose array begins at `start`; -1 when there is none. */
export function readVersion(buffer: Buffer, start: number, end: number): number {
  let at = start + VERSION_USUALLY_AT;
  if (!startsWith(buffer, at, end, VERSION)) {
    at = buffer.indexOf(VERSION, start);
    if (at < 0 || at >= end) return -1;
  }
  return readNumber(buffer, at + VERSION.length, end);
}

/** The whole number at `start`, up to the first byte that is no digit; -1 when there is no digit. */
export function readNumber(buffer: Buffer, start: number, end: number): number {
  let value = 0;
  let at = start;
  for (; at < end; at++) {
    const byte = buffer[at] as number;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + byte - ZERO;
  }
  return at === start ? -1 : value;
}

/** Index of the first byte at or after `start` that is no digit. */
export function skipDigits(buffer: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (buffer[at] as number) >= ZERO && (buffer[at] as number) <= NINE) at++;
  return at;
}

export function startsWith(buffer: Buffer, start: number, end: number, expected: Buffer): boolean {
  if (start + expected.length > end) return false;
  for (let i = 0; i < expected.length; i++) if (buffer[start + i] !== expected[i]) return false;
  return true;
}
