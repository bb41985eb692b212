import { Controller, HttpCode, Inject, Ip, Post, Res } from '@nestjs/common';
import {
  changePasswordBody,
  loginBody,
  registerBody,
  type Authenticated,
  type ChangePasswordBody,
  type LoginBody,
  type RegisterBody,
} from '@parley/contracts';
import { CurrentUser, Public, ZodBody, type AuthenticatedUser } from '@parley/service';
import type { Response } from 'express';
import { AccountService, type Caller } from './account.service';
import type { RateState } from './throttle';

@Controller('v1/auth')
export class AccountController {
  constructor(@Inject(AccountService) private readonly accounts: AccountService) {}

  @Public()
  @Post('register')
  register(
    @ZodBody(registerBody) body: RegisterBody,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Authenticated> {
    return this.accounts.register(body, callerOf(address, response));
  }

  @Public()
  @HttpCode(200)
  @Post('login')
  login(
    @ZodBody(loginBody) body: LoginBody,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Authenticated> {
    return this.accounts.login(body, callerOf(address, response));
  }

  @HttpCode(204)
  @Post('password/change')
  changePassword(
    @CurrentUser() user: AuthenticatedUser,
    @ZodBody(changePasswordBody) body: ChangePasswordBody,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    return this.accounts.changePassword(user, body, callerOf(address, response));
  }
}

/** Of several buckets the headers show the one that has the least left. */
function callerOf(address: string, response: Response): Caller {
  let tightest: RateState | undefined;
  const report = (state: RateState) => {
    if (tightest && tightest.remaining <= state.remaining) return;
    tightest = state;
    response.setHeader('RateLimit-Limit', String(state.limit));
    response.setHeader('RateLimit-Remaining', String(state.remaining));
    response.setHeader('RateLimit-Reset', String(Math.ceil(state.resetMs / 1000)));
  };
  return { address, report };
}
