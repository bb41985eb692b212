import { z } from 'zod';

/** Every bound that a client can meet. Served by `GET /v1/limits` and in `ready.limits`; lengths are in UTF-16 units. */
export const limits = {
  messageBodyCharsMax: 8000,
  messageMentionsMax: 50,
  messageAttachmentsMax: 10,
  messageReactionsMax: 50,
  messageReactionsTotalMax: 1000,
  reactionUserIdsShown: 20,
  emojiCharsMax: 32,
  clientMessageIdCharsMax: 64,
  conversationTitleCharsMax: 120,
  conversationTopicCharsMax: 1000,
  groupMembersMax: 500,
  channelMembersMax: 100_000,
  conversationCreateMembersMax: 100,
  userConversationsMax: 5000,
  displayNameCharsMax: 80,
  deviceNameCharsMax: 80,
  usernameCharsMin: 3,
  usernameCharsMax: 32,
  passwordCharsMin: 10,
  passwordCharsMax: 128,
  emailCharsMax: 254,
  pageLimitDefault: 50,
  pageLimitMax: 100,
  userIdsPerRequestMax: 100,
  syncConversationsMax: 500,
  syncEntriesMax: 500,
  readyConversationsMax: 100,
  socketsPerUserMax: 20,
  socketPayloadBytesMax: 65_536,
  socketEventsPerSecondMax: 50,
  socketEventsBurstMax: 200,
  socketInFlightMax: 100,
  socketOutboundBytesMax: 4_194_304,
  presenceWatchMax: 500,
  httpBodyBytesMax: 262_144,
  sessionsPerUserMax: 100,
  atLeastWaitMs: 1000,
} as const;

export const limitsSchema = z
  .record(z.string(), z.number())
  .describe('Every bound that a client can meet, by name; the unit is the last word of the name.');
