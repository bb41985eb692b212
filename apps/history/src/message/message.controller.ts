import { Controller, Get } from '@nestjs/common';
import {
  conversationParams,
  messageListQuery,
  messageParams,
  messageQuery,
  messagesQuery,
} from '@parley/contracts';
import { type AuthenticatedUser, CurrentUser, ZodParams, ZodQuery } from '@parley/service';
import type { z } from 'zod';
import { MessageService } from './message.service';

type ConversationParams = z.output<typeof conversationParams>;
type MessageParams = z.output<typeof messageParams>;
type ListQuery = z.output<typeof messageListQuery>;

/** Reads of messages over HTTP. */
@Controller('v1/conversations/:conversationId')
export class MessageController {
  constructor(private readonly messages: MessageService) {}

  @Get('messages')
  page(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodParams(conversationParams) { conversationId }: ConversationParams,
    @ZodQuery(messagesQuery) query: z.output<typeof messagesQuery>,
  ) {
    return this.messages.page(userId, conversationId, query);
  }

  @Get('messages/:messageId')
  async one(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodParams(messageParams) { conversationId, messageId }: MessageParams,
    @ZodQuery(messageQuery) query: z.output<typeof messageQuery>,
  ) {
    return { message: await this.messages.one(userId, conversationId, messageId, query.atLeast) };
  }

  @Get('messages/:messageId/thread')
  thread(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodParams(messageParams) { conversationId, messageId }: MessageParams,
    @ZodQuery(messageListQuery) query: ListQuery,
  ) {
    return this.messages.thread(userId, conversationId, messageId, query);
  }

  @Get('pins')
  pins(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodParams(conversationParams) { conversationId }: ConversationParams,
    @ZodQuery(messageListQuery) query: ListQuery,
  ) {
    return this.messages.pins(userId, conversationId, query);
  }
}
