/** The services that are ours and stay. */
export const APPS = ['auth', 'history', 'messaging', 'notification', 'presence', 'realtime'] as const;
export type App = (typeof APPS)[number];

/** Those whose absence nobody who sends may notice: the broker keeps what they miss. */
export const CONSUMERS: readonly App[] = ['history', 'notification'];

/** Of each there is one where the deployment is small. */
export const SERVERS = ['postgres', 'mongodb', 'redis', 'rabbitmq'] as const;

/** Long enough for each speaker to say some fifty things. */
export const AWAY_MS = 5_000;
/** Until what was started again is ready: a broker on a busy machine is the slowest. */
export const READY_WITHIN_MS = 180_000;

/** What must be so inside of an app's container, by a command that prints `expected` then; `sh` is all that it needs. */
const INSIDE: readonly { what: string; command: string; expected: RegExp }[] = [
  { what: 'it runs as user 1000', command: 'id -u', expected: /^1000$/ },
  { what: 'node is process 1', command: "tr '\\0' ' ' < /proc/1/cmdline", expected: /^node dist\/main\.js/ },
  {
    what: 'nothing can be written',
    command: 'for d in / /parley /tmp /parley/apps; do touch $d/x 2>/dev/null && echo $d; done; true',
    expected: /^$/,
  },
  {
    what: 'it has no capabilities',
    command: 'grep CapEff /proc/1/status',
    expected: /^CapEff:\s+0+$/,
  },
  { what: 'it gets no new privileges', command: 'grep NoNewPrivs /proc/1/status', expected: /\s1$/ },
  { what: 'its system calls are filtered', command: 'grep Seccomp: /proc/1/status', expected: /\s2$/ },
  { what: 'it has no package manager', command: 'command -v npm npx yarn corepack || true', expected: /^$/ },
  {
    what: 'its bill of materials is there',
    command: 'grep -m1 bomFormat /parley/sbom.cdx.json',
    expected: /CycloneDX/,
  },
];

/**
 * What is not so inside of an instance of each app.
 * @param oneOf the id of an instance that runs
 * @param inside runs a shell command in it and returns what it printed
 */
export async function inspectApps(
  oneOf: (app: App) => Promise<string | undefined>,
  inside: (id: string, command: string) => Promise<string>,
): Promise<string[]> {
  const findings: string[] = [];
  for (const app of APPS) {
    const id = await oneOf(app);
    if (id === undefined) {
      findings.push(`${app} does not run`);
      continue;
    }
    for (const { what, command, expected } of INSIDE) {
      const said = await inside(id, command);
      if (!expected.test(said)) findings.push(`${app}: not so: ${what}: ${said}`);
    }
  }
  return findings;
}
