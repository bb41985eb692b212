import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Crowd, CrowdCall, Stock } from './crowd';
import type { Seat } from './member';
import { addUp, type Totals } from './totals';

/** A process may hold 20,000 files on many systems, and one process has one core. */
const SOCKETS_PER_PROCESS = 2_500;
const POLL_MS = 50;

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

class CrowdProcess {
  private nextId = 0;

  constructor(private readonly child: ChildProcess) {
    child.setMaxListeners(0);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  call<K extends keyof Crowd>(name: K, ...args: Parameters<Crowd[K]>): ReturnType<Crowd[K]> {
    const id = this.nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const onExit = (): void => reject(new Error('A process of the crowd ended.'));
      const onMessage = (message: Answer): void => {
        if (message.id !== id) return;
        this.child.off('message', onMessage);
        this.child.off('exit', onExit);
        if (message.error === undefined) resolve(message.value);
        else reject(new Error(message.error));
      };
      this.child.on('message', onMessage);
      this.child.once('exit', onExit);
    });
    this.child.send({ id, name, args } as CrowdCall);
    return answer as ReturnType<Crowd[K]>;
  }

  end(): void {
    if (this.child.connected) this.child.disconnect();
  }
}

/** Many clients, in as many processes as it takes. */
export class Crowds {
  private readonly processes: CrowdProcess[];

  constructor(sockets: number, privateKeysFile: string) {
    const count = Math.max(1, Math.ceil(sockets / SOCKETS_PER_PROCESS));
    this.processes = Array.from(
      { length: count },
      () =>
        new CrowdProcess(
          fork(join(__dirname, 'process.js'), [privateKeysFile], { serialization: 'advanced', execArgv: [] }),
        ),
    );
  }

  /** Resolves when every seat has its `ready`; at most `parallel` sockets are being opened at once. */
  async enter(seats: Seat[], parallel: number): Promise<void> {
    const share = Math.ceil(parallel / this.processes.length);
    await this.all((crowd, index) => crowd.call('enter', this.part(seats, index), share));
  }

  async look(): Promise<Totals> {
    return addUp(await this.all((crowd) => crowd.call('look')));
  }

  /** Of all processes' clients, to whom their CPU time belongs. */
  get pids(): number[] {
    return this.processes.flatMap(({ pid }) => pid ?? []);
  }

  async reset(): Promise<void> {
    await this.all((crowd) => crowd.call('reset'));
  }

  async leave(): Promise<void> {
    await this.all((crowd) => crowd.call('leave'));
  }

  /** The first `count` members of each process say it. Returns how many processes there are. */
  async say(count: number, name: string, payload: object): Promise<number> {
    await this.all((crowd) => crowd.call('say', count, name, payload));
    return this.processes.length;
  }

  async missing(conversations: Stock[]): Promise<number> {
    const counts = await this.all((crowd) => crowd.call('missing', conversations));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Waits until the totals are as wanted. Returns how long it took; undefined when it did not come about in time. */
  async until(isTrue: (totals: Totals) => boolean, timeoutMs: number): Promise<number | undefined> {
    const start = performance.now();
    while (!isTrue(await this.glance())) {
      if (performance.now() - start > timeoutMs) return undefined;
      await delay(POLL_MS);
    }
    return performance.now() - start;
  }

  end(): void {
    for (const crowd of this.processes) crowd.end();
  }

  private part(seats: Seat[], index: number): Seat[] {
    return seats.filter((_, at) => at % this.processes.length === index);
  }

  private async glance(): Promise<Totals> {
    return addUp(await this.all((crowd) => crowd.call('glance')));
  }

  private all<T>(work: (crowd: CrowdProcess, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.processes.map(work));
  }
}
