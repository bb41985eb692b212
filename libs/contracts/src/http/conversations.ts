import { z } from 'zod';
import { counter, pageOf } from '../common';
import {
  channelsQuery,
  conversation,
  conversationParams,
  conversationQuery,
  conversationsQuery,
  createConversationBody,
  member,
  memberParams,
  membersQuery,
  myConversation,
  patchMemberBody,
  putMemberBody,
  readBody,
  unreadBody,
  updateConversationBody,
} from '../conversation';
import { answer, type OperationSpec } from './operation';

const conversationAnswer = z.object({ conversation });
const memberAnswer = z.object({ member, version: counter });
const versionAnswer = z.object({ version: counter });
const unreadAnswer = z.object({ fromNumber: counter.nullable() });

export const conversationOperations = {
  createConversation: {
    summary: 'Create a conversation',
    description:
      'Groups and channels need an `Idempotency-Key`: the same key with the same request answers with the same ' +
      'conversation. A direct conversation between the same two people is always the same one.',
    body: createConversationBody,
    idempotencyKey: true,
    answers: {
      200: answer('It was there already.', conversationAnswer),
      201: answer('Created.', conversationAnswer),
    },
    refusals: ['forbidden', 'blocked', 'not_found', 'idempotency_mismatch'],
  },
  listConversations: {
    summary: "List the caller's conversations, most recently active first",
    query: conversationsQuery,
    answers: { 200: answer('A page.', pageOf(myConversation)) },
  },
  getConversation: {
    summary: 'Read a conversation',
    params: conversationParams,
    query: conversationQuery,
    answers: {
      200: answer('The conversation as the caller sees it.', z.object({ conversation: myConversation })),
    },
    refusals: ['not_found'],
  },
  updateConversation: {
    summary: 'Change title, topic, visibility or archived',
    params: conversationParams,
    body: updateConversationBody,
    answers: { 200: answer('The state after the change.', conversationAnswer) },
    refusals: ['forbidden', 'not_found'],
  },
  deleteConversation: {
    summary: 'Delete a conversation for everybody',
    params: conversationParams,
    answers: { 200: answer('Deleted; the version of the deletion.', versionAnswer) },
    refusals: ['forbidden', 'not_found'],
  },
  searchChannels: {
    summary: 'List public channels, by title',
    query: channelsQuery,
    answers: { 200: answer('A page.', pageOf(conversation)) },
  },
  joinChannel: {
    summary: 'Join a public channel',
    description: 'Whoever joins one that everybody has left becomes its owner.',
    params: conversationParams,
    answers: { 200: answer('Joined, or a member already.', conversationAnswer) },
    refusals: ['forbidden', 'not_found', 'conflict'],
  },
  listMembers: {
    summary: 'List the members of a conversation',
    params: conversationParams,
    query: membersQuery,
    answers: { 200: answer('A page.', pageOf(member)) },
    refusals: ['not_found'],
  },
  addMember: {
    summary: 'Add somebody to a group or channel',
    params: memberParams,
    body: putMemberBody.optional(),
    answers: {
      200: answer('A member already.', memberAnswer),
      201: answer('Added.', memberAnswer),
    },
    refusals: ['forbidden', 'blocked', 'not_found', 'conflict'],
  },
  changeRole: {
    summary: "Change a member's role",
    params: memberParams,
    body: patchMemberBody,
    description:
      'Owners give any role, admins make members admins and back. The last owner stays one: `conflict`.',
    answers: { 200: answer('The state after the change.', memberAnswer) },
    refusals: ['forbidden', 'not_found', 'conflict'],
  },
  removeMember: {
    summary: 'Remove a member, or leave',
    description: 'The last owner leaves last, or makes somebody else an owner first: `conflict`.',
    params: memberParams,
    answers: { 200: answer('No member any more.', versionAnswer) },
    refusals: ['forbidden', 'not_found', 'conflict'],
  },
  markRead: {
    summary: 'Move the read mark forward',
    description: 'Marks never move back. Accepted at once, stored within a second.',
    params: conversationParams,
    body: readBody,
    answers: { 200: answer('Where the mark is now.', z.object({ readNumber: counter })) },
    refusals: ['not_found'],
  },
  markUnread: {
    summary: 'Mark as unread from a number on; private to the caller',
    params: conversationParams,
    body: unreadBody,
    answers: { 200: answer('The private mark.', unreadAnswer) },
    refusals: ['not_found'],
  },
  clearUnread: {
    summary: 'Remove the private mark',
    params: conversationParams,
    answers: { 200: answer('No mark any more.', unreadAnswer) },
    refusals: ['not_found'],
  },
} as const satisfies Record<string, OperationSpec>;
