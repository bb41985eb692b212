import type { ScenarioResult } from '../scenario/run';
import type { Aims, Scenario } from '../scenario/scenario';
import { table, whole } from './table';

/** The figures of all runs, the aims beside them, the CPU by process, and what was wrong. */
export function report(results: ScenarioResult[], scenarios: Scenario[]): string {
  const aimsOf = (name: string): Aims => scenarios.find((one) => one.name === name)?.aims ?? {};
  const parts = [
    'Throughput and latency (ms, from when the message was due)',
    throughput(results, aimsOf),
    '',
    'CPU µs per acknowledged message, by process',
    cpu(results, (result) => result.ackedInWindow),
    '',
    'CPU µs per delivery, by process',
    cpu(results, (result) => result.deliveredInWindow),
    '',
    'Followers of the log',
    followers(results),
  ];
  const wrong = results.flatMap((result) =>
    result.violations.map((violation) => `${result.scenario} ${result.door}: ${violation}`),
  );
  if (wrong.length > 0) parts.push('', 'NOT AS IT MUST BE', ...wrong);
  return parts.join('\n');
}

function throughput(results: ScenarioResult[], aimsOf: (name: string) => Aims): string {
  const headings = ['scenario', 'door', 'acked/s', 'deliveries/s', 'ack p50', 'p99', 'p99.9', 'delivery p50'];
  return table(
    [...headings, 'p99', 'refused', 'elsewhere %', 'idle %', 'aims'],
    results.map((result) => [
      result.scenario,
      result.door,
      whole(result.ackedPerSecond),
      whole(result.deliveriesPerSecond),
      result.ack.p50Ms.toFixed(1),
      result.ack.p99Ms.toFixed(1),
      result.ack.p999Ms.toFixed(1),
      result.delivery.p50Ms.toFixed(1),
      result.delivery.p99Ms.toFixed(1),
      Object.entries(result.refusals)
        .map(([code, count]) => `${code} ${count}`)
        .join(' ') || '0',
      (100 * result.cpuElsewhere).toFixed(0),
      (100 * result.cpuIdle).toFixed(0),
      result.door === 'realtime' ? judge(result, aimsOf(result.scenario)) : '',
    ]),
  );
}

/** Each aim, and whether the figure reaches it. */
export function judge(result: ScenarioResult, aims: Aims): string {
  const verdicts: string[] = [];
  const check = (aim: number | undefined, isReached: boolean, text: string): void => {
    if (aim !== undefined) verdicts.push(`${text} ${isReached ? 'reached' : 'MISSED'}`);
  };
  const { ackedPerSecond, deliveriesPerSecond, ackP50Ms, ackP99Ms } = aims;
  check(
    ackedPerSecond,
    result.ackedPerSecond >= (ackedPerSecond ?? 0),
    `${whole(ackedPerSecond ?? 0)} acked/s`,
  );
  check(
    deliveriesPerSecond,
    result.deliveriesPerSecond >= (deliveriesPerSecond ?? 0),
    `${whole(deliveriesPerSecond ?? 0)} deliveries/s`,
  );
  check(ackP50Ms, result.ack.p50Ms <= (ackP50Ms ?? 0), `p50 ${ackP50Ms} ms`);
  check(ackP99Ms, result.ack.p99Ms <= (ackP99Ms ?? 0), `p99 ${ackP99Ms} ms`);
  return verdicts.join(', ');
}

/** `servers` is everything but the generator. */
function cpu(results: ScenarioResult[], countOf: (result: ScenarioResult) => number): string {
  const names = [...new Set(results.flatMap((result) => Object.keys(result.cpuUs)))];
  return table(
    ['scenario', 'door', 'servers', ...names],
    results.map((result) => {
      const per = (us: number): string => (us / Math.max(1, countOf(result))).toFixed(1);
      const servers = names
        .filter((name) => name !== 'generator')
        .reduce((sum, name) => sum + (result.cpuUs[name] ?? 0), 0);
      return [
        result.scenario,
        result.door,
        per(servers),
        ...names.map((name) => per(result.cpuUs[name] ?? 0)),
      ];
    }),
  );
}

function followers(results: ScenarioResult[]): string {
  return table(
    ['scenario', 'door', 'rows behind at the end', 'caught up after ms'],
    results.map((result) => [
      result.scenario,
      result.door,
      result.lagAtEnd.map(({ name, rows }) => `${name} ${whole(rows)}`).join(', '),
      result.caughtUpMs < 0 ? 'never' : whole(result.caughtUpMs),
    ]),
  );
}
