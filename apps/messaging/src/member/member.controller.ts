import { Controller, Delete, Get, Inject, Patch, Put, Res } from '@nestjs/common';
import { Requester } from '@parley/broker';
import {
  conversationParams,
  limits,
  memberParams,
  membersQuery,
  ParleyError,
  patchMemberBody,
  putMemberBody,
  unavailable,
} from '@parley/contracts';
import { CurrentUser, ZodBody, ZodParams, ZodQuery, type AuthenticatedUser } from '@parley/service';
import type { Response } from 'express';
import type { z } from 'zod';
import { AccountReader } from '../account/account.reader';
import { ConversationReader } from '../conversation/conversation.reader';
import { UserDirectory } from '../conversation/user.directory';

type Params = z.output<typeof memberParams>;

/** The HTTP door for members of conversations. */
@Controller('v1/conversations/:conversationId/members')
export class MemberController {
  constructor(
    @Inject(Requester) private readonly requester: Requester,
    @Inject(AccountReader) private readonly accounts: AccountReader,
    @Inject(ConversationReader) private readonly reader: ConversationReader,
    @Inject(UserDirectory) private readonly users: UserDirectory,
  ) {}

  @Get()
  async list(
    @ZodParams(conversationParams) params: z.output<typeof conversationParams>,
    @ZodQuery(membersQuery) query: z.output<typeof membersQuery>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    const conversation = await this.accounts.one(user.userId, params.conversationId);
    if (!conversation) throw new ParleyError('not_found', 'There is no such conversation.');
    if (conversation.version < (query.atLeast ?? 0))
      throw unavailable('That version is not there yet.', 1000);
    return this.reader.members(params.conversationId, query.limit ?? limits.pageLimitDefault, query.cursor);
  }

  @Put(':userId')
  async put(
    @ZodParams(memberParams) params: Params,
    @ZodBody(putMemberBody.optional()) body: z.output<typeof putMemberBody> | undefined,
    @CurrentUser() user: AuthenticatedUser,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { conversationId, userId } = params;
    await Promise.all([
      this.users.check([userId]),
      this.accounts.checkRoom([userId], conversationId, userId),
    ]);
    const { created, ...reply } = await this.requester.command('member.put', {
      ...params,
      actorId: user.userId,
      role: body?.role,
    });
    response.status(created ? 201 : 200);
    return reply;
  }

  @Patch(':userId')
  async setRole(
    @ZodParams(memberParams) params: Params,
    @ZodBody(patchMemberBody) body: z.output<typeof patchMemberBody>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    const { member, version } = await this.requester.command('member.role', {
      ...params,
      actorId: user.userId,
      role: body.role,
    });
    return { member, version };
  }

  @Delete(':userId')
  remove(@ZodParams(memberParams) params: Params, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('member.remove', { ...params, actorId: user.userId });
  }
}
