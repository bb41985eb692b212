import { ParleyError, type ParleyClient } from '@parley/client';
import { limits, type Message } from '@parley/contracts';
import { Commands } from './commands';
import { Names } from './names';
import { Printer } from './printer';

const SHOWN_AT_OPEN = 15;

/** One person's chat: takes lines, prints lines. Knows nothing of terminals. */
export class Chat {
  private current?: string;
  private unwatch?: () => void;
  private readonly names: Names;
  private readonly printer: Printer;
  private readonly commands: Commands;

  constructor(
    private readonly client: ParleyClient,
    print: (line: string) => void,
  ) {
    this.names = new Names(client);
    this.printer = new Printer(print, this.names);
    this.commands = new Commands(client, this, this.names, this.printer);
    this.listen();
  }

  /** Takes one line of the person: a command, or something to send. */
  async take(line: string): Promise<void> {
    const text = line.trim();
    if (text === '') return;
    try {
      if (text.startsWith('/')) await this.commands.run(text.slice(1).split(/\s+/));
      else this.send(text);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.printer.note(`${error.code}: ${error.message}`);
    }
    await this.printer.flushed();
  }

  /** The direct conversation with somebody. */
  open(name: string): Promise<void> {
    return this.take(`/open ${name}`);
  }

  /** To be called at every key press. */
  press(): void {
    if (this.current !== undefined && this.client.realtime.ready) this.client.typing.press(this.current);
  }

  /** @throws ParleyError when no conversation is open */
  here(): string {
    if (this.current === undefined)
      throw new ParleyError('invalid_request', 'Open a conversation first: /open NAME');
    return this.current;
  }

  async enter(conversationId: string): Promise<void> {
    this.unwatch?.();
    this.current = undefined;
    await this.client.synced();
    const view = this.client.store.conversation(conversationId);
    if (view?.directUserId) this.printer.about(view.directUserId, (name) => `-- you and ${name}`);
    else this.printer.note(view?.title ?? view?.type ?? conversationId);
    for (const message of this.client.store.messages(conversationId).slice(-SHOWN_AT_OPEN)) {
      this.printer.message(message);
    }
    this.current = conversationId;
    this.client.markRead(conversationId);
    const others = this.client.store.members(conversationId).map(({ userId }) => userId);
    this.unwatch = this.client.presence.watch(
      others.filter((userId) => userId !== this.client.user?.id).slice(0, limits.presenceWatchMax),
    );
  }

  private send(body: string): void {
    const { stored } = this.client.send({ conversationId: this.here(), body });
    stored.catch((error: ParleyError) => this.printer.note(`not sent (${error.code}): ${body}`));
    if (!this.client.realtime.ready) this.printer.note('kept, and sent when the connection is back');
  }

  private listen(): void {
    const { store, realtime, typing, presence } = this.client;
    store.on('message', ({ message }) => this.show(message));
    store.on('removed', ({ conversationId }) => {
      if (conversationId !== this.current) return;
      this.current = undefined;
      this.printer.note('you are no longer in this conversation');
    });
    realtime.on('status', (status) => {
      if (status.state === 'ready') this.printer.note('connected');
      if (status.state === 'waiting')
        this.printer.note(`offline, trying again in ${(status.retryInMs / 1000).toFixed(1)} s`);
      if (status.state === 'stopped' && status.reason) this.printer.note(`signed out: ${status.reason}`);
    });
    typing.on('changed', ({ conversationId, userIds }) => {
      if (conversationId !== this.current) return;
      for (const userId of userIds) this.printer.about(userId, (name) => `-- ${name} is typing`);
    });
    presence.on('changed', ({ items }) => {
      for (const { userId, status } of items) this.printer.about(userId, (name) => `-- ${name} is ${status}`);
    });
  }

  private show(message: Message): void {
    const isMine = message.senderId === this.client.user?.id;
    if (message.conversationId === this.current) {
      this.printer.message(message);
      this.client.markRead(this.current, message.number);
    } else if (!isMine && message.editedAt === undefined && message.deletedAt === undefined) {
      const view = this.client.store.conversation(message.conversationId);
      if (view && message.number > view.readNumber)
        this.printer.about(message.senderId, (name) => `-- ${name} wrote elsewhere: /list`);
    }
  }
}
