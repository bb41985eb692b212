import { z } from 'zod';
import { counter, id, isStorable, line, text, timestamp } from './common';
import { limits } from './limits';

/** As the log has it for ever: what may be sent grows stricter, and rows of before stay what they are. */
export const attachment = z.object({
  url: z.string().meta({ format: 'uri' }),
  name: z.string(),
  mimeType: z.string(),
  sizeBytes: counter,
});

export const newAttachment = z.strictObject({
  url: z
    .url({ protocol: /^https$/ })
    .max(limits.attachmentUrlCharsMax)
    .refine((value) => isStorable(value) && !/\s/.test(value), 'contains characters that are not allowed'),
  name: line(1, limits.attachmentNameCharsMax),
  mimeType: z.string().regex(/^[\w.+-]{1,64}\/[\w.+-]{1,64}$/),
  sizeBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
});

export const reaction = z.object({
  emoji: z.string(),
  count: counter,
  userIds: z
    .array(id)
    .describe(`The first ${limits.reactionUserIdsShown} who reacted, in the order of reacting.`),
});

export const messageFormat = z.enum(['plain', 'markdown']);

/** A message as everybody may see it. A deleted one stays as a tombstone whose body is null. */
export const message = z.object({
  id,
  conversationId: id,
  number: counter,
  version: counter.describe("The conversation's version at this message's last change."),
  senderId: id.nullable().describe('Null when the account was erased.'),
  clientMessageId: z.string(),
  body: z.string().nullable(),
  format: messageFormat,
  replyTo: id.optional(),
  threadId: id.optional(),
  mentions: z.array(id),
  attachments: z.array(attachment),
  reactions: z.array(reaction),
  pinned: z.boolean(),
  createdAt: timestamp,
  editedAt: timestamp.optional(),
  deletedAt: timestamp.optional(),
});
export type Message = z.infer<typeof message>;

/** Chosen by the sender and unique per conversation and sender, for ever. */
export const clientMessageId = z
  .string()
  .regex(
    new RegExp(`^[\\w.:-]{1,${limits.clientMessageIdCharsMax}}$`),
    'must be 1 to 64 of A-Z a-z 0-9 _ . : -',
  );

const body = text(0, limits.messageBodyCharsMax);
const mentions = z
  .array(id)
  .max(limits.messageMentionsMax)
  .refine((ids) => new Set(ids).size === ids.length, 'names somebody twice');
const attachments = z.array(newAttachment).max(limits.messageAttachmentsMax);

function hasContent(value: { body?: string; attachments?: unknown[] }): boolean {
  return (value.body?.trim().length ?? 0) > 0 || (value.attachments?.length ?? 0) > 0;
}

const sendFields = {
  clientMessageId,
  body,
  format: messageFormat.optional(),
  replyTo: id.optional(),
  threadId: id.optional(),
  mentions: mentions.optional(),
  attachments: attachments.optional(),
};
const contentRule = ['a message needs a body or an attachment'] as const;

export const sendMessageBody = z.strictObject(sendFields).refine(hasContent, ...contentRule);
export const sendMessagePayload = z
  .strictObject({ conversationId: id, ...sendFields })
  .refine(hasContent, ...contentRule);
export type SendMessageBody = z.input<typeof sendMessageBody>;
export type SendMessagePayload = z.input<typeof sendMessagePayload>;

const editFields = {
  body: body.optional(),
  format: messageFormat.optional(),
  mentions: mentions.optional(),
  attachments: attachments.optional(),
  ifVersion: counter.optional().describe('Refuse with `conflict` unless the message still has this version.'),
};
function changesSomething(value: Record<string, unknown>): boolean {
  return ['body', 'format', 'mentions', 'attachments'].some((field) => value[field] !== undefined);
}
export const editMessageBody = z.strictObject(editFields).refine(changesSomething, 'names nothing to change');
export const editMessagePayload = z
  .strictObject({ conversationId: id, messageId: id, ...editFields })
  .refine(changesSomething, 'names nothing to change');
export type EditMessageBody = z.input<typeof editMessageBody>;

export const deleteMessagePayload = z.strictObject({
  conversationId: id,
  messageId: id,
  ifVersion: counter.optional(),
});

/**
 * One emoji or a short code; no spaces or control characters, so that it fits a path segment. One or two dots alone do not: they
 * lead out of it, however they are escaped, and what takes the reaction back would delete the message.
 */
export const emoji = z
  .string()
  .min(1)
  .max(limits.emojiCharsMax)
  .refine(
    (value) => /^(?!\.{1,2}$)[^\s\p{Cc}/]+$/u.test(value) && value.isWellFormed(),
    'must be one emoji or short code',
  );

export const reactionPayload = z.strictObject({ conversationId: id, messageId: id, emoji });
export const messageRefPayload = z.strictObject({ conversationId: id, messageId: id });
