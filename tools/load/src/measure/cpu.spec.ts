import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { CpuMeter, parseMachine, parseStat, readProcesses, treeUs } from './cpu';

describe('parseStat', () => {
  it('reads a line whose name contains brackets and spaces', () => {
    const line = `77 (a (b) c) S 5 77 77 0 -1 4194304 1 2 3 4 120 30 7 8 20 0 11 0 9 1 2 3`;
    expect(parseStat(line)).toEqual({ pid: 77, parent: 5, ownUs: 1_500_000, reapedUs: 150_000 });
  });
});

describe('parseMachine', () => {
  it('tells work from waiting, over all cores', () => {
    const text = 'cpu  10 1 5 100 20 2 3 4 0 0\ncpu0 1 2 3 4\n';
    expect(parseMachine(text)).toEqual({ busyUs: 250_000, idleUs: 1_200_000 });
  });
});

describe('treeUs', () => {
  it('adds up a tree, ended children included, and nothing else', () => {
    const processes = [
      { pid: 3, parent: 2, ownUs: 4, reapedUs: 8 },
      { pid: 1, parent: 0, ownUs: 1000, reapedUs: 1000 },
      { pid: 2, parent: 1, ownUs: 1, reapedUs: 2 },
      { pid: 9, parent: 1, ownUs: 1000, reapedUs: 0 },
    ];
    expect(treeUs(2, processes)).toBe(15);
    expect(treeUs(44, processes)).toBe(0);
  });
});

describe('CpuMeter', () => {
  it('sees the work of a child and of a grandchild that has ended', async () => {
    const burn = 'const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);';
    const script = `require('child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(burn)}]);
      ${burn} console.log('done'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const meter = new CpuMeter(new Map([['child', [child.pid as number]]]));
      await once(child.stdout, 'data');
      const { byName, elsewhere, idle } = meter.used();
      expect(byName.get('child')).toBeGreaterThanOrEqual(500_000);
      expect(byName.get('generator')).toBeGreaterThan(0);
      expect(elsewhere + idle).toBeLessThan(1);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });

  it('reads this process', () => {
    expect(readProcesses().find((one) => one.pid === process.pid)?.parent).toBe(process.ppid);
  });
});
