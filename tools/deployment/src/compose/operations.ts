import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const OPERATIONS = resolve(__dirname, '../../../../docs/operations.md');

/** The shell functions that docs/operations.md begins with, as they stand there. */
export function operatorsFunctions(): string {
  const [, functions] = /^```sh\n(parley\(\) [^]*?)^```/m.exec(readFileSync(OPERATIONS, 'utf8')) ?? [];
  if (functions === undefined) throw new Error('docs/operations.md does not begin with its functions.');
  return functions;
}
