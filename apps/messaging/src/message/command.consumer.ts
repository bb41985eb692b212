import { Controller, Inject } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import type { RequestContext } from '@parley/broker';
import type { CommandData, CommandName, CommandReply } from '@parley/contracts';
import { ParleyError } from '@parley/contracts';
import { MembershipEnder } from '../conversation/membership.ender';
import { commandSeconds, commandsWaiting } from '../log/log.metrics';
import { LogRuntime } from '../log/log.runtime';
import type { ReadMark } from '../read-mark/mark.rules';
import { MarkWriter } from '../read-mark/mark.writer';

type Data<C extends CommandName> = CommandData<C>;

/** The broker's door for writes: every command of the catalogue that moves a conversation goes to its owner. */
@Controller()
export class CommandConsumer {
  constructor(
    @Inject(LogRuntime) private readonly runtime: LogRuntime,
    @Inject(MarkWriter) private readonly marks: MarkWriter,
    @Inject(MembershipEnder) private readonly memberships: MembershipEnder,
  ) {}

  @MessagePattern('message.send')
  async send(@Payload() data: Data<'message.send'>, @Ctx() context: RequestContext): Promise<object> {
    const reply = (await this.submit('message.send', data, context)) as CommandReply<'message.send'>;
    const { conversationId, actorId: userId } = data;
    // Of a repeat too: the mark of the first may have gone with the instance that was to write it.
    this.marks.set({ conversationId, userId, readNumber: reply.message.number }, true);
    return reply;
  }

  @MessagePattern('message.edit')
  edit(@Payload() data: Data<'message.edit'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('message.edit', data, context);
  }

  @MessagePattern('message.delete')
  delete(@Payload() data: Data<'message.delete'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('message.delete', data, context);
  }

  @MessagePattern('message.pin')
  pin(@Payload() data: Data<'message.pin'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('message.pin', data, context);
  }

  @MessagePattern('reaction.set')
  react(@Payload() data: Data<'reaction.set'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('reaction.set', data, context);
  }

  @MessagePattern('conversation.create')
  create(@Payload() data: Data<'conversation.create'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('conversation.create', data, context);
  }

  @MessagePattern('conversation.update')
  update(@Payload() data: Data<'conversation.update'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('conversation.update', data, context);
  }

  @MessagePattern('conversation.delete')
  async remove(
    @Payload() data: Data<'conversation.delete'>,
    @Ctx() context: RequestContext,
  ): Promise<object> {
    const reply = await this.submit('conversation.delete', data, context);
    this.memberships.end();
    return reply;
  }

  @MessagePattern('member.put')
  putMember(@Payload() data: Data<'member.put'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('member.put', data, context);
  }

  @MessagePattern('member.role')
  setRole(@Payload() data: Data<'member.role'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('member.role', data, context);
  }

  @MessagePattern('member.remove')
  removeMember(@Payload() data: Data<'member.remove'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('member.remove', data, context);
  }

  @MessagePattern('channel.join')
  join(@Payload() data: Data<'channel.join'>, @Ctx() context: RequestContext): Promise<object> {
    return this.submit('channel.join', data, context);
  }

  /** The owner knows membership and count; the mark itself is written within a second. None lies beyond the last message. */
  @MessagePattern('read.mark')
  async markRead(@Payload() data: Data<'read.mark'>, @Ctx() context: RequestContext): Promise<object> {
    const { readNumber, isLast } = (await this.submit('read.mark', data, context)) as ReadMark;
    const mark = { conversationId: data.conversationId, userId: data.actorId, readNumber };
    this.marks.set(mark, false);
    return { readNumber: isLast ? readNumber : await this.marks.standing(mark) };
  }

  @MessagePattern('unread.set')
  async markUnread(@Payload() data: Data<'unread.set'>, @Ctx() context: RequestContext): Promise<object> {
    const reply = (await this.submit('unread.set', data, context)) as CommandReply<'unread.set'>;
    await this.marks.setUnread(data.actorId, data.conversationId, reply.fromNumber);
    return reply;
  }

  private async submit(name: CommandName, data: CommandData<CommandName>, context: RequestContext) {
    const outcome = (result: string) =>
      commandSeconds.observe(
        { command: name, outcome: result },
        (performance.now() - context.arrivedAt) / 1000,
      );
    commandsWaiting.inc();
    try {
      const reply = await this.runtime.owner.submit(name, data, context);
      outcome('ok');
      return reply;
    } catch (error) {
      outcome(error instanceof ParleyError ? error.code : 'moved');
      throw error;
    } finally {
      commandsWaiting.dec();
    }
  }
}
