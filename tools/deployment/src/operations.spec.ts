import { execFileSync } from 'node:child_process';
import { operatorsFunctions, upgradeInKubernetes } from './operations';

const bash = (commands: string): string => execFileSync('bash', ['-c', commands], { encoding: 'utf8' });

describe('The functions of docs/operations.md', () => {
  it('are shell, and those that the upgrades call are among them', () => {
    const names = bash(`${operatorsFunctions()}\ndeclare -F`);
    for (const name of ['parley', 'replace', 'reload_kong', 'kparley', 'migrated'])
      expect(names).toContain(`declare -f ${name}\n`);
  });
});

describe('The upgrade of Kubernetes in docs/operations.md', () => {
  const told = (functions: string): string[] =>
    bash(`${functions}\n${upgradeInKubernetes('an/overlay')}`)
      .trim()
      .split('\n');
  const said = `kubectl() { echo kubectl "$@"; }; kparley() { echo kparley "$@"; }`;

  it('migrates, then applies the overlay that is given, and waits', () => {
    expect(told(`${said}; migrated() { echo migrated "$@"; }`)).toEqual([
      'kparley delete job --selector app.kubernetes.io/component=migration --ignore-not-found',
      'kubectl apply -k an/overlay --selector app.kubernetes.io/component=migration',
      'migrated app.kubernetes.io/component=migration',
      'kubectl apply -k an/overlay',
      'kparley rollout status deployment --timeout=15m',
    ]);
  });

  it('replaces nothing when a migration fails', () => {
    const lines = told(`${said}; migrated() { return 1; }; trap 'exit 0' EXIT`);
    expect(lines).not.toContain('kubectl apply -k an/overlay');
  });
});
