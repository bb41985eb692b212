import { Controller, Get, Inject, Patch } from '@nestjs/common';
import {
  updateMeBody,
  userParams,
  usersQuery,
  type Me,
  type UpdateMeBody,
  type User,
  type UsersQuery,
} from '@parley/contracts';
import { CurrentUser, ZodBody, ZodParams, ZodQuery, type AuthenticatedUser } from '@parley/service';
import { UserService, type UserPage } from './user.service';

@Controller('v1/users')
export class UserController {
  constructor(@Inject(UserService) private readonly users: UserService) {}

  @Get('me')
  me(@CurrentUser() { userId }: AuthenticatedUser): Promise<Me> {
    return this.users.me(userId);
  }

  @Patch('me')
  updateMe(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodBody(updateMeBody) change: UpdateMeBody,
  ): Promise<Me> {
    return this.users.update(userId, change);
  }

  @Get(':userId')
  one(@ZodParams(userParams) { userId }: { userId: string }): Promise<User> {
    return this.users.one(userId);
  }

  @Get()
  async list(@ZodQuery(usersQuery) query: UsersQuery): Promise<UserPage> {
    if (query.query !== undefined) return this.users.search(query.query, query);
    return { items: await this.users.byIds(query.ids ?? []), nextCursor: null };
  }
}
