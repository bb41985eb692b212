import type { Message } from '@parley/contracts';
import { bodies, connected, type Person, until } from './world';

/** More than a writer sends in a test, so that all of it is there to be compared. */
const HELD_MAX = 100_000;

/** Five people in one group: one writes, all must have everything in order, whatever happens meanwhile. */
export class SteadyGroup {
  private constructor(
    readonly writer: Person,
    readonly readers: Person[],
    readonly conversationId: string,
  ) {}

  /** Registers and connects them at `url`, and waits until all have the group. */
  static async at(url: string): Promise<SteadyGroup> {
    const [writer, ...readers] = await Promise.all(
      ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) =>
        connected(name, { url, messagesMax: HELD_MAX }),
      ),
    );
    const memberIds = readers.map(({ user }) => user.id);
    const { id } = await writer!.client.create({ type: 'group', title: 'Steady', memberIds });
    for (const { client } of readers)
      await until(client, () => client.store.conversation(id)?.current === true);
    return new SteadyGroup(writer!, readers, id);
  }

  get everybody(): Person[] {
    return [this.writer, ...this.readers];
  }

  /** Writes without a pause until `during` is done; resolves to what was stored. */
  async writeDuring(during: Promise<unknown>): Promise<Message[]> {
    let isOver = false;
    const ended = during.finally(() => (isOver = true));
    // Awaited below; a failure in between is not to end the process.
    ended.catch(() => undefined);
    const stored: Message[] = [];
    while (!isOver) {
      const body = `${stored.length}`;
      stored.push(await this.writer.client.send({ conversationId: this.conversationId, body }).stored);
    }
    await ended;
    return stored;
  }

  /** Waits until everybody stands at the last of them, and compares: nothing missing, nothing twice, in order. */
  async expectAllToHave(stored: Message[]): Promise<void> {
    const last = stored.at(-1)!;
    for (const { client } of this.everybody) {
      await until(client, () => {
        const view = client.store.conversation(this.conversationId);
        return view?.current === true && view.messageCount >= last.number;
      });
      const held = bodies(client, this.conversationId).slice(-stored.length);
      expect(held).toEqual(stored.map(({ body }) => body));
    }
  }
}
