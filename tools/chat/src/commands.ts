import { ParleyError, type ConversationView, type ParleyClient } from '@parley/client';
import type { Message } from '@parley/contracts';
import type { Chat } from './chat';
import type { Names } from './names';
import type { Printer } from './printer';

const HELP = `Write a line to send it. Besides:
  /list                    your conversations, with what is unread
  /open NAME               the direct conversation with somebody, or the Nth of /list
  /older                   older messages
  /group TITLE NAME …      a new group        /channel TITLE   a new public channel
  /join TITLE              a public channel   /add NAME   /leave
  /edit N TEXT   /delete N   /react N EMOJI   /unreact N EMOJI   (N is a message's number)
  /who                     who is here, and who is online
  /status online|away|dnd
  /help   /quit`;

type Command = (args: string[]) => Promise<void> | void;

/** What begins with a slash. Each command takes the words behind it. */
export class Commands {
  private listed: ConversationView[] = [];
  private readonly commands: Record<string, Command> = {
    list: () => this.list(),
    open: ([name = '']) => this.open(name),
    older: () => this.older(),
    group: ([title = '', ...names]) => this.group(title, names),
    channel: (words) => this.channel(words.join(' ')),
    join: (words) => this.join(words.join(' ')),
    add: ([name = '']) => this.add(name),
    leave: () => this.leave(),
    edit: ([number, ...words]) =>
      this.change(number, (message) => this.client.edit(message, { body: words.join(' ') })),
    delete: ([number]) => this.change(number, (message) => this.client.delete(message)),
    react: ([number, emoji = '']) => this.change(number, (message) => this.client.react(message, emoji)),
    unreact: ([number, emoji = '']) => this.change(number, (message) => this.client.unreact(message, emoji)),
    who: () => this.who(),
    status: ([status = '']) => this.status(status),
    help: () => HELP.split('\n').forEach((line) => this.printer.plain(line)),
  };

  constructor(
    private readonly client: ParleyClient,
    private readonly chat: Chat,
    private readonly names: Names,
    private readonly printer: Printer,
  ) {}

  async run([name = '', ...args]: string[]): Promise<void> {
    const command = Object.hasOwn(this.commands, name) ? this.commands[name] : undefined;
    if (!command) return this.printer.note(`there is no /${name}; /help shows what there is`);
    await command(args);
  }

  /** Opens the Nth of the list that was shown last, or the direct conversation with somebody. */
  async open(name: string): Promise<void> {
    const view = this.listed[Number(name) - 1];
    if (view) return this.chat.enter(view.id);
    const [userId] = await this.idsOf([name]);
    if (userId) await this.chat.enter((await this.client.direct(userId)).id);
  }

  private list(): void {
    this.listed = this.client.store.list();
    if (this.listed.length === 0) this.printer.note('nothing yet: /open NAME');
    this.listed.forEach((view, index) => {
      const unread = view.unread > 0 ? ` (${view.unread} unread)` : '';
      const line = (title: string) => `  ${index + 1}  ${title}${unread}`;
      if (view.directUserId) this.printer.about(view.directUserId, line);
      else this.printer.plain(line(view.title ?? view.type));
    });
  }

  private async older(): Promise<void> {
    const id = this.chat.here();
    const { messages, more } = await this.client.loadBefore(id, 15);
    for (const message of messages) this.printer.message(message);
    if (!more) this.printer.note('this is the beginning');
  }

  private async group(title: string, usernames: string[]): Promise<void> {
    const memberIds = await this.idsOf(usernames);
    if (memberIds.length < usernames.length) return;
    await this.chat.enter((await this.client.create({ type: 'group', title, memberIds })).id);
  }

  private async channel(title: string): Promise<void> {
    const { id } = await this.client.create({ type: 'channel', title, visibility: 'public' });
    await this.chat.enter(id);
  }

  private async join(title: string): Promise<void> {
    const { items } = await this.client.api.searchChannels({ query: { query: title } });
    const found = items.find((item) => item.title?.toLowerCase() === title.toLowerCase()) ?? items[0];
    if (!found) return this.printer.note(`there is no public channel "${title}"`);
    await this.chat.enter((await this.client.join(found.id)).id);
  }

  private async add(name: string): Promise<void> {
    const conversationId = this.chat.here();
    const [userId] = await this.idsOf([name]);
    if (userId) await this.client.api.addMember({ params: { conversationId, userId } });
  }

  private async leave(): Promise<void> {
    const params = { conversationId: this.chat.here(), userId: this.client.user!.id };
    await this.client.api.removeMember({ params });
  }

  private who(): void {
    for (const { userId, role } of this.client.store.members(this.chat.here())) {
      const status =
        userId === this.client.user?.id ? 'you' : (this.client.presence.of(userId)?.status ?? 'unknown');
      this.printer.about(userId, (name) => `  ${name} (${role}): ${status}`);
    }
  }

  private async status(status: string): Promise<void> {
    if (status !== 'online' && status !== 'away' && status !== 'dnd')
      throw new ParleyError('invalid_request', 'One of online, away, dnd.');
    await this.client.realtime.request('presence:set', { status });
  }

  private async change(
    number: string | undefined,
    change: (message: Message) => Promise<unknown>,
  ): Promise<void> {
    const messages = this.client.store.messages(this.chat.here());
    const message = messages.find((one) => one.number === Number(number));
    if (message) await change(message);
    else this.printer.note(`there is no message ${number ?? ''} here`);
  }

  /** Of those who exist; says who does not. */
  private async idsOf(usernames: string[]): Promise<string[]> {
    const ids = await Promise.all(usernames.map((username) => this.names.idOf(username)));
    usernames.forEach((username, index) => {
      if (ids[index] === undefined) this.printer.note(`nobody is called ${username}`);
    });
    return ids.filter((id) => id !== undefined);
  }
}
