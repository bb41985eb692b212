import { ParleyClient } from '@parley/client';
import { Chat } from './chat';

it('knows no command that only every object has', async () => {
  const lines: string[] = [];
  const chat = new Chat(new ParleyClient({ url: 'http://localhost' }), (line) => lines.push(line));
  for (const name of ['__proto__', 'constructor', 'toString']) await chat.take(`/${name}`);
  expect(lines).toEqual(
    ['__proto__', 'constructor', 'toString'].map(
      (name) => `-- there is no /${name}; /help shows what there is`,
    ),
  );
});
