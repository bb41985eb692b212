import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Profiler, topSelfTimes } from './profile';

describe('topSelfTimes', () => {
  it('adds up the samples of a function and leaves out idle time', () => {
    const frame = (functionName: string) => ({ functionName, url: '', lineNumber: 0 });
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('a') },
        { id: 2, callFrame: frame('(idle)') },
        { id: 3, callFrame: { functionName: 'b', url: 'file:///x/y/z/apps/b/dist/main.js', lineNumber: 6 } },
        { id: 4, callFrame: frame('a') },
      ],
      samples: [1, 2, 3, 4],
      timeDeltas: [10, 1000, 50, 20],
    };
    expect(topSelfTimes(profile, 5)).toEqual({
      totalUs: 80,
      top: [
        { where: 'b apps/b/dist/main.js:7', selfUs: 50 },
        { where: 'a', selfUs: 30 },
      ],
    });
  });
});

describe('Profiler', () => {
  it('finds what a process is busy with', async () => {
    const script = `
      let sum = 0;
      function burnHere() { for (let i = 0; i < 5e6; i++) sum += Math.sqrt(i); }
      process.stdin.once('data', () => {
        for (let round = 0; round < 20; round++) burnHere();
        console.log(sum);
      });`;
    const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', '-e', script]);
    try {
      const profiler = await Profiler.attach(await inspectorPort(child.stderr));
      await profiler.start();
      child.stdin.write('go');
      await once(child.stdout, 'data');
      const { top } = topSelfTimes(await profiler.stop(), 3);
      expect(top.map(({ where }) => where).join()).toContain('burnHere');
      profiler.detach();
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });
});

async function inspectorPort(output: NodeJS.ReadableStream): Promise<number> {
  let text = '';
  for await (const chunk of output) {
    text += String(chunk);
    const match = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text);
    if (match) return Number(match[1]);
  }
  throw new Error('The inspector did not open.');
}
