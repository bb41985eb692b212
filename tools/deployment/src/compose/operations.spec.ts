import { execFileSync } from 'node:child_process';
import { operatorsFunctions } from './operations';

describe('The functions of docs/operations.md', () => {
  it('are shell, and those that the upgrade calls are among them', () => {
    const names = execFileSync('bash', ['-c', `${operatorsFunctions()}\ndeclare -F`], { encoding: 'utf8' });
    for (const name of ['parley', 'replace', 'reload_kong']) expect(names).toContain(`declare -f ${name}\n`);
  });
});
