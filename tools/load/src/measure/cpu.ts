import { readFileSync, readdirSync } from 'node:fs';

/** Linux counts CPU time in ticks of this length for every program, whatever the kernel was built with. */
const TICK_US = 10_000;

export interface ProcessTimes {
  pid: number;
  parent: number;
  /** CPU time of the process itself, user and system, in µs. */
  ownUs: number;
  /** CPU time of its children that have ended and were waited for, in µs. */
  reapedUs: number;
}

/** Reads the text of a /proc/PID/stat. */
export function parseStat(text: string): ProcessTimes {
  // The name stands in brackets and may itself contain brackets and spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid: parseInt(text, 10),
    parent: field(4),
    ownUs: (field(14) + field(15)) * TICK_US,
    reapedUs: (field(16) + field(17)) * TICK_US,
  };
}

/** CPU time of `pid` and all below it, those that ended meanwhile included, in µs. */
export function treeUs(pid: number, processes: readonly ProcessTimes[]): number {
  const children = new Map<number, ProcessTimes[]>();
  let root: ProcessTimes | undefined;
  for (const one of processes) {
    if (one.pid === pid) root = one;
    const siblings = children.get(one.parent);
    if (siblings) siblings.push(one);
    else children.set(one.parent, [one]);
  }
  if (!root) return 0;
  const tree = [root];
  for (const one of tree) tree.push(...(children.get(one.pid) ?? []));
  return tree.reduce((sum, one) => sum + one.ownUs + one.reapedUs, 0);
}

/** All processes of this machine. */
export function readProcesses(): ProcessTimes[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))];
      } catch {
        // It ended between the listing and the reading.
        return [];
      }
    });
}

/** CPU time of the whole machine since it started, all cores together, in µs. */
export interface MachineTimes {
  busyUs: number;
  idleUs: number;
}

/** Reads the first line of a /proc/stat. */
export function parseMachine(text: string): MachineTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = text
    .slice(0, text.indexOf('\n'))
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return {
    busyUs: (user + nice + system + irq + softIrq + steal) * TICK_US,
    idleUs: (idle + ioWait) * TICK_US,
  };
}

/** What one measured while took. */
export interface CpuUse {
  /** In µs, by name; this process is `generator`. */
  byName: Map<string, number>;
  /** Shares of all cores, from 0 to 1: taken by what has nothing to do with the measurement, and by nobody. */
  elsewhere: number;
  idle: number;
}

/** The CPU time of named process trees, and of this process, between two moments. */
export class CpuMeter {
  private readonly before: Map<string, number>;
  private readonly machine = readMachine();

  /** @param pids process ids by name; several of one name are added up. */
  constructor(private readonly pids: ReadonlyMap<string, number[]>) {
    this.before = this.read();
  }

  /** What was used since construction. */
  used(): CpuUse {
    const machine = readMachine();
    const byName = new Map(
      [...this.read()].map(([name, us]) => [name, us - (this.before.get(name) ?? 0)] as const),
    );
    const busyUs = machine.busyUs - this.machine.busyUs;
    const idleUs = machine.idleUs - this.machine.idleUs;
    const ownUs = [...byName.values()].reduce((sum, us) => sum + us, 0);
    const totalUs = Math.max(1, busyUs + idleUs);
    return { byName, elsewhere: Math.max(0, busyUs - ownUs) / totalUs, idle: idleUs / totalUs };
  }

  private read(): Map<string, number> {
    const processes = readProcesses();
    const byName = [...this.pids].map(([name, pids]): [string, number] => [
      name,
      pids.reduce((sum, pid) => sum + treeUs(pid, processes), 0),
    ]);
    const own = process.cpuUsage();
    return new Map([...byName, ['generator', own.user + own.system]]);
  }
}

function readMachine(): MachineTimes {
  return parseMachine(readFileSync('/proc/stat', 'utf8'));
}
