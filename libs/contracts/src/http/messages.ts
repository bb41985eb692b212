import { z } from 'zod';
import { id, pageOf, queryCounter } from '../common';
import {
  conversationParams,
  messageListQuery,
  messagePage,
  messageParams,
  messageQuery,
  messagesQuery,
} from '../conversation';
import { editMessageBody, emoji, message, sendMessageBody } from '../message';
import { syncPayload, syncResult } from '../sync';
import { answer, type OperationSpec } from './operation';

const messageAnswer = z.object({ message });
const reactionParams = z.strictObject({ conversationId: id, messageId: id, emoji });

const deleteMessageQuery = z.strictObject({ ifVersion: queryCounter.optional() });

const change = {
  params: messageParams,
  answers: { 200: answer("The message's state after the change.", messageAnswer) },
  refusals: ['forbidden', 'not_found'],
} as const;

export const messageOperations = {
  sendMessage: {
    summary: 'Send a message',
    description:
      '`clientMessageId` identifies the message for ever: the same id with the same fields answers with that message ' +
      'as it is now, so repeating is always safe; with other fields it is refused.',
    params: conversationParams,
    body: sendMessageBody,
    answers: {
      200: answer('It was sent before: the message as it is now.', messageAnswer),
      201: answer('Stored.', messageAnswer),
    },
    refusals: ['forbidden', 'blocked', 'not_found', 'idempotency_mismatch'],
  },
  editMessage: {
    ...change,
    summary: "Change a message's body, format, mentions or attachments",
    body: editMessageBody,
    refusals: ['forbidden', 'not_found', 'conflict'],
  },
  deleteMessage: {
    ...change,
    summary: 'Delete a message; it stays as a tombstone without a body',
    query: deleteMessageQuery,
    refusals: ['forbidden', 'not_found', 'conflict'],
  },
  addReaction: { ...change, summary: 'React to a message', params: reactionParams },
  removeReaction: { ...change, summary: 'Take a reaction back', params: reactionParams },
  pinMessage: { ...change, summary: 'Pin a message' },
  unpinMessage: { ...change, summary: 'Unpin a message' },
  listMessages: {
    summary: 'Read a page of messages, in rising number',
    description:
      'The newest page unless `before`, `after`, `around` (numbers) or `at` (a time) says otherwise. `atLeast` waits ' +
      'up to 1 s for that version, then answers `unavailable`. Public channels can be read by everybody.',
    params: conversationParams,
    query: messagesQuery,
    answers: { 200: answer('A page.', messagePage) },
    refusals: ['not_found'],
  },
  getMessage: {
    summary: 'Read one message',
    params: messageParams,
    query: messageQuery,
    answers: { 200: answer('The message.', messageAnswer) },
    refusals: ['not_found'],
  },
  listThread: {
    summary: "List the replies in a message's thread, in rising number, without the message itself",
    params: messageParams,
    query: messageListQuery,
    answers: { 200: answer('A page of the list.', pageOf(message)) },
    refusals: ['not_found'],
  },
  listPins: {
    summary: 'List the pinned messages, the newest message first',
    params: conversationParams,
    query: messageListQuery,
    answers: { 200: answer('A page of the list.', pageOf(message)) },
    refusals: ['not_found'],
  },
  sync: {
    summary: 'Catch up with everything that changed',
    description: "The socket's `sync`, for apps that were woken by a push and hold no socket.",
    body: syncPayload,
    answers: { 200: answer('One page of what changed.', syncResult) },
  },
} as const satisfies Record<string, OperationSpec>;
