const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
type Level = (typeof LEVELS)[number];

/** The level of all loggers, and of those that have another. */
export interface LogLevels {
  all: Level;
  of: ReadonlyMap<string, Level>;
}

export const logLevelsRule = `must be one of ${LEVELS.join(', ')}, and after it, for single loggers, \`,Name=level\``;

/** Reads `info` or `info,Broker=debug,Http=warn`; undefined for anything else. */
export function parseLogLevels(text: string): LogLevels | undefined {
  const [all = '', ...others] = text.split(',').map((part) => part.trim());
  if (!isLevel(all)) return undefined;
  const of = new Map<string, Level>();
  for (const other of others) {
    const [, name, level = ''] = /^([\w.-]{1,64})=(\w+)$/.exec(other) ?? [];
    if (name === undefined || !isLevel(level)) return undefined;
    of.set(name, level);
  }
  return { all, of };
}

function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}
