import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { WebSocket } from 'ws';

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
  private nextId = 0;

  private constructor(private readonly socket: WebSocket) {}

  static async attach(port: number): Promise<Profiler> {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`, {
      signal: AbortSignal.timeout(10_000),
    });
    const [entry] = (await response.json()) as { webSocketDebuggerUrl: string }[];
    if (!entry) throw new Error(`Nothing to inspect on port ${port}.`);
    const socket = new WebSocket(entry.webSocketDebuggerUrl, { maxPayload: 1 << 30 });
    await once(socket, 'open');
    const profiler = new Profiler(socket);
    await profiler.call('Profiler.enable');
    return profiler;
  }

  async start(): Promise<void> {
    await this.call('Profiler.start');
  }

  async stop(): Promise<CpuProfile> {
    const { profile } = (await this.call('Profiler.stop')) as { profile: CpuProfile };
    return profile;
  }

  detach(): void {
    this.socket.close();
  }

  private call(method: string): Promise<unknown> {
    const id = ++this.nextId;
    return new Promise((resolve, reject) => {
      const onMessage = (data: Buffer): void => {
        const answer = JSON.parse(data.toString()) as {
          id?: number;
          result?: unknown;
          error?: { message: string };
        };
        if (answer.id !== id) return;
        this.socket.off('message', onMessage);
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer.result);
      };
      this.socket.on('message', onMessage);
      this.socket.once('close', () => reject(new Error(`${method}: the process went away`)));
      this.socket.send(JSON.stringify({ id, method }));
    });
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
