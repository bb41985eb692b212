import { ParleyClient } from '@parley/client';
import type { Message } from '@parley/contracts';
import { Names } from './names';
import { Printer } from './printer';

function world() {
  const lines: string[] = [];
  const client = new ParleyClient({ url: 'http://localhost' });
  const printer = new Printer((line) => lines.push(line), new Names(client));
  return { lines, printer };
}

/** Of an erased account, so that nobody need be asked for a name. */
function messageWith(some: Partial<Message>): Message {
  return {
    id: 'm',
    conversationId: 'c',
    number: 1,
    version: 1,
    senderId: null,
    clientMessageId: 'x',
    body: '',
    format: 'plain',
    mentions: [],
    attachments: [],
    reactions: [],
    pinned: false,
    createdAt: '2026-01-01T09:30:00.000Z',
    ...some,
  };
}

/** All but tabs, and the line ends that the printer itself makes. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

it('gives the terminal nothing that it would obey, wherever it stands in a message', async () => {
  const { lines, printer } = world();
  // Clears the screen, sets the title, goes back to the line's beginning; in eight bits, too; turns text around.
  const evil = '\u001b[2J\u001b]0;owned\u0007\r\u009b2J\u0090q\u009c\u202egpj\u2066\u007f\u0000\u0008';
  const file = { url: 'https://example.com', name: evil, mimeType: 'text/plain', sizeBytes: 1 };
  const reaction = { emoji: evil, count: 1, userIds: [] };
  printer.message(messageWith({ body: `Hello${evil}`, attachments: [file], reactions: [reaction] }));
  printer.note(`title ${evil}`);
  printer.plain(evil);
  printer.about(null, (name) => `${name} ${evil}`);
  await printer.flushed();
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(line).not.toMatch(controls);
  expect(lines[0]).toContain('Hello\u241b[2J');
});

it('shows a body of several lines as one message, not as what others wrote or the program said', async () => {
  const { lines, printer } = world();
  const body = 'One\n-- signed out\r\n09:31 #2 bob: yes\u2028\tindented';
  printer.message(messageWith({ body }));
  await printer.flushed();
  expect(lines[0]!.split('\n').map((line) => line.slice(0, 9))).toEqual([
    '09:30 #1 ',
    '        -',
    '        0',
    '        \t',
  ]);
});
