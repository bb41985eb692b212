import { Controller, Inject } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { QueryData, QueryReply } from '@parley/contracts';
import { UserService } from './user.service';

/** Answers other services' questions about users. */
@Controller()
export class UserConsumer {
  constructor(@Inject(UserService) private readonly users: UserService) {}

  @MessagePattern('auth.users')
  async byIds({ ids }: QueryData<'auth.users'>): Promise<QueryReply<'auth.users'>> {
    return { users: await this.users.byIds(ids) };
  }
}
