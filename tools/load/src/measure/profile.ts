import { writeFileSync } from 'node:fs';
import { Inspector } from './inspector';

interface CallFrame {
  functionName: string;
  url: string;
  lineNumber: number;
}

/** The part of V8's CPU profile that is read here. Times are in µs. */
export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame }[];
  samples: number[];
  timeDeltas: number[];
}

export interface SelfTime {
  /** Function, and file with line. */
  where: string;
  selfUs: number;
}

/** Samples a Node process that was started with `--inspect=127.0.0.1:PORT`. */
export class Profiler {
  private constructor(private readonly inspector: Inspector) {}

  static async attach(port: number): Promise<Profiler> {
    const inspector = await Inspector.attach(port);
    await inspector.call('Profiler.enable');
    return new Profiler(inspector);
  }

  async start(): Promise<void> {
    await this.inspector.call('Profiler.start');
  }

  async stop(): Promise<CpuProfile> {
    return (await this.inspector.call<{ profile: CpuProfile }>('Profiler.stop')).profile;
  }

  detach(): void {
    this.inspector.detach();
  }
}

/** The functions with the largest time of their own, largest first; idle time is left out. */
export function topSelfTimes(profile: CpuProfile, count: number): { totalUs: number; top: SelfTime[] } {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, describe(callFrame)]));
  const selfUs = new Map<string, number>();
  let totalUs = 0;
  profile.samples.forEach((node, index) => {
    const name = names.get(node) ?? '(unknown)';
    if (name === '(idle)' || name === '(program)') return;
    const us = profile.timeDeltas[index] ?? 0;
    totalUs += us;
    selfUs.set(name, (selfUs.get(name) ?? 0) + us);
  });
  const sorted = [...selfUs]
    .map(([where, us]) => ({ where, selfUs: us }))
    .sort((a, b) => b.selfUs - a.selfUs);
  return { totalUs, top: sorted.slice(0, count) };
}

/** Writes a profile in the form that Chrome's and VS Code's viewers open. */
export function saveProfile(file: string, profile: CpuProfile): void {
  writeFileSync(file, JSON.stringify(profile));
}

function describe({ functionName, url, lineNumber }: CallFrame): string {
  if (!url) return functionName || '(anonymous)';
  const file = url
    .replace(/^file:\/\//, '')
    .split('/')
    .slice(-4)
    .join('/');
  return `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`;
}
