import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ParleyClient } from '@parley/client';
import { FileStorage } from '@parley/client/node';
import { readRunning } from '@parley/tool-local';
import { Chat } from './chat';
import { printable } from './printable';
import { signIn } from './sign-in';
import { Terminal } from './terminal';

const USAGE = `npm run chat -- --as NAME [--with NAME] [--url http://localhost:8000] [--password …]

Speaks to what \`npm start\` runs here unless --url says otherwise; its demo logins need no password.
Tokens and unsent messages are kept under .local/chat/NAME.`;
const RUN_DIR = process.env['PARLEY_RUN_DIR'] ?? resolve(__dirname, '../../../.local');

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { as: text, with: text, url: text, password: text, help: { type: 'boolean' } },
  });
  const username = values.as;
  if (values.help || username === undefined) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const running = readRunning(RUN_DIR);
  const url = values.url ?? running?.url;
  if (url === undefined) throw new Error('Nothing runs here. Start it in another terminal: npm start');
  const login = url === running?.url ? running.logins.find((one) => one.username === username) : undefined;

  const terminal = new Terminal();
  const directory = join(
    RUN_DIR,
    'chat',
    encodeURIComponent(new URL(url).host),
    encodeURIComponent(username),
  );
  const client = new ParleyClient({
    url,
    storage: new FileStorage(directory),
    persistState: true,
    device: 'terminal',
  });
  try {
    await signIn(client, username, values.password ?? login?.password, terminal);
    const chat = new Chat(client, terminal.print);
    await client.connect();
    const other = values.with ?? running?.logins.find((one) => one.username !== username)?.username;
    if (other !== undefined && (values.with !== undefined || login)) await chat.open(other);
    terminal.print('-- /help shows what there is');
    terminal.onKey(() => chat.press());
    await terminal.read(async (line) => {
      if (line.trim() === '/quit') return 'enough';
      await chat.take(line);
      return 'more';
    });
  } finally {
    terminal.close();
    await client.close();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${printable(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = 1;
});
