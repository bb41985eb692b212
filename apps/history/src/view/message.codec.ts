import type { Message } from '@parley/contracts';

/**
 * The one place where a message's content enters and leaves a store: what is kept is the whole public message as JSON.
 * Encryption at rest belongs here and nowhere else.
 */
export function encodeMessage(message: Message): string {
  return JSON.stringify(message);
}

/** @param stored what `encodeMessage` gave */
export function decodeMessage(stored: string): Message {
  return JSON.parse(stored) as Message;
}
