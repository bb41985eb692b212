import { Controller, Delete, Inject, Patch, Post, Put, Res } from '@nestjs/common';
import { Requester } from '@parley/broker';
import type { Message } from '@parley/contracts';
import {
  conversationParams,
  counter,
  editMessageBody,
  emoji,
  id,
  messageParams,
  queryCounter,
  sendMessageBody,
} from '@parley/contracts';
import { CurrentUser, ZodBody, ZodParams, ZodQuery, type AuthenticatedUser } from '@parley/service';
import type { Response } from 'express';
import { z } from 'zod';

const reactionParams = z.strictObject({ conversationId: id, messageId: id, emoji });
const deleteQuery = z.strictObject({ ifVersion: queryCounter.pipe(counter).optional() });

type Params = z.output<typeof messageParams>;
type ReactionParams = z.output<typeof reactionParams>;

/** The HTTP door for messages: the same commands as the socket's, with the same answers. */
@Controller('v1/conversations/:conversationId/messages')
export class MessageController {
  constructor(@Inject(Requester) private readonly requester: Requester) {}

  @Post()
  async send(
    @ZodParams(conversationParams) params: z.output<typeof conversationParams>,
    @ZodBody(sendMessageBody) body: z.output<typeof sendMessageBody>,
    @CurrentUser() user: AuthenticatedUser,
    @Res({ passthrough: true }) response: Response,
  ): Promise<{ message: Message }> {
    const { message, created } = await this.requester.command('message.send', {
      ...body,
      ...params,
      actorId: user.userId,
      format: body.format ?? 'plain',
      mentions: body.mentions ?? [],
      attachments: body.attachments ?? [],
    });
    response.status(created ? 201 : 200);
    return { message };
  }

  @Patch(':messageId')
  edit(
    @ZodParams(messageParams) params: Params,
    @ZodBody(editMessageBody) body: z.output<typeof editMessageBody>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.requester.command('message.edit', { ...body, ...params, actorId: user.userId });
  }

  @Delete(':messageId')
  remove(
    @ZodParams(messageParams) params: Params,
    @ZodQuery(deleteQuery) query: z.output<typeof deleteQuery>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.requester.command('message.delete', { ...query, ...params, actorId: user.userId });
  }

  @Put(':messageId/reactions/:emoji')
  react(@ZodParams(reactionParams) params: ReactionParams, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('reaction.set', { ...params, actorId: user.userId, present: true });
  }

  @Delete(':messageId/reactions/:emoji')
  unreact(@ZodParams(reactionParams) params: ReactionParams, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('reaction.set', { ...params, actorId: user.userId, present: false });
  }

  @Put(':messageId/pin')
  pin(@ZodParams(messageParams) params: Params, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('message.pin', { ...params, actorId: user.userId, pinned: true });
  }

  @Delete(':messageId/pin')
  unpin(@ZodParams(messageParams) params: Params, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('message.pin', { ...params, actorId: user.userId, pinned: false });
  }
}
