import { execFileSync } from 'node:child_process';
import { operatorsFunctions, upgradeInKubernetes } from './operations';

const bash = (commands: string): string => execFileSync('bash', ['-c', commands], { encoding: 'utf8' });

describe('The functions of docs/operations.md', () => {
  it('are shell, and those that the upgrades call are among them', () => {
    const names = bash(`${operatorsFunctions()}\ndeclare -F`);
    for (const name of ['parley', 'restart_each', 'replace', 'reload_kong', 'kparley', 'migrated'])
      expect(names).toContain(`declare -f ${name}\n`);
  });
});

describe('restart_each of docs/operations.md', () => {
  const told = (health: string): string[] =>
    bash(`exec 2>&1
      ${operatorsFunctions()}
      parley() { echo one; echo two; }
      docker() { if [ "$1" = inspect ]; then echo ${health}; else echo docker "$@" >&2; fi; }
      sleep() { [ "$1" = 1 ] || echo sleep "$1"; }
      restart_each messaging && echo done || true`)
      .trim()
      .split('\n');

  it('gives the gateway time to find one before it takes the next', () => {
    expect(told('healthy')).toEqual([
      'docker restart one',
      'sleep 10',
      'docker restart two',
      'sleep 10',
      'done',
    ]);
  });

  it('leaves the others as they are when one does not come back', () => {
    expect(told('starting')).toEqual(['docker restart one']);
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
