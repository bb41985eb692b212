import { createHash } from 'node:crypto';
import { Controller, Delete, Get, Headers, HttpCode, Inject, Patch, Post, Res } from '@nestjs/common';
import { Requester } from '@parley/broker';
import type { Conversation } from '@parley/contracts';
import {
  channelsQuery,
  conversationParams,
  conversationQuery,
  conversationsQuery,
  createConversationBody,
  limits,
  ParleyError,
  unavailable,
  updateConversationBody,
} from '@parley/contracts';
import {
  CurrentUser,
  idempotencyKey,
  ZodBody,
  ZodParams,
  ZodQuery,
  type AuthenticatedUser,
} from '@parley/service';
import type { Response } from 'express';
import type { z } from 'zod';
import { AccountReader } from '../account/account.reader';
import { ConversationReader } from './conversation.reader';
import { createdId, directId } from './derived-id';
import { UserDirectory } from './user.directory';

type Params = z.output<typeof conversationParams>;
type CreateBody = z.output<typeof createConversationBody>;

/** The HTTP door for conversations. Writes go as commands to the owner of the conversation, whichever instance that is. */
@Controller('v1')
export class ConversationController {
  constructor(
    @Inject(Requester) private readonly requester: Requester,
    @Inject(AccountReader) private readonly accounts: AccountReader,
    @Inject(ConversationReader) private readonly reader: ConversationReader,
    @Inject(UserDirectory) private readonly users: UserDirectory,
  ) {}

  @Post('conversations')
  async create(
    @ZodBody(createConversationBody) body: CreateBody,
    @Headers('idempotency-key') keyHeader: string | undefined,
    @CurrentUser() user: AuthenticatedUser,
    @Res({ passthrough: true }) response: Response,
  ): Promise<{ conversation: Conversation }> {
    const memberIds = (body.memberIds ?? []).filter((id) => id !== user.userId);
    const other = memberIds[0];
    if (body.type === 'direct' && other === undefined) {
      throw new ParleyError('invalid_request', 'memberIds: a direct conversation is with somebody else');
    }
    const conversationId =
      body.type === 'direct'
        ? directId(user.userId, other!)
        : createdId(user.userId, idempotencyKey(keyHeader));
    await Promise.all([
      this.users.check(memberIds),
      this.accounts.checkRoom([user.userId, ...memberIds], conversationId, user.userId),
    ]);
    const { conversation, created } = await this.requester.command('conversation.create', {
      conversationId,
      actorId: user.userId,
      type: body.type,
      title: body.type === 'direct' ? null : (body.title ?? null),
      topic: body.type === 'direct' ? null : (body.topic ?? null),
      visibility: body.type === 'channel' ? (body.visibility ?? 'private') : 'private',
      memberIds,
      requestHash: createHash('sha256').update(JSON.stringify(body)).digest('hex'),
    });
    response.status(created ? 201 : 200);
    return { conversation };
  }

  @Get('conversations')
  list(
    @ZodQuery(conversationsQuery) query: z.output<typeof conversationsQuery>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.accounts.list(user.userId, query.limit ?? limits.pageLimitDefault, query.cursor);
  }

  @Get('conversations/:conversationId')
  async one(
    @ZodParams(conversationParams) params: Params,
    @ZodQuery(conversationQuery) query: z.output<typeof conversationQuery>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    const conversation = await this.accounts.one(user.userId, params.conversationId);
    if (!conversation) throw new ParleyError('not_found', 'There is no such conversation.');
    // The projection is stored with the log: a version that it does not have has never been acknowledged.
    if (conversation.version < (query.atLeast ?? 0))
      throw unavailable('That version is not there yet.', 1000);
    return { conversation };
  }

  @Patch('conversations/:conversationId')
  update(
    @ZodParams(conversationParams) params: Params,
    @ZodBody(updateConversationBody) change: z.output<typeof updateConversationBody>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.requester.command('conversation.update', { ...params, actorId: user.userId, change });
  }

  @Delete('conversations/:conversationId')
  remove(@ZodParams(conversationParams) params: Params, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('conversation.delete', { ...params, actorId: user.userId });
  }

  @Post('conversations/:conversationId/join')
  @HttpCode(200)
  async join(@ZodParams(conversationParams) params: Params, @CurrentUser() user: AuthenticatedUser) {
    await this.accounts.checkRoom([user.userId], params.conversationId, user.userId);
    return this.requester.command('channel.join', { ...params, actorId: user.userId });
  }

  @Get('channels')
  channels(@ZodQuery(channelsQuery) query: z.output<typeof channelsQuery>) {
    return this.reader.channels(query.query ?? '', query.limit ?? limits.pageLimitDefault, query.cursor);
  }
}
