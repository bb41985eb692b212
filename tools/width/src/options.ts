import { LocalError, readOptions } from '@parley/tool-local';

export const PARTS = ['idle', 'storm', 'channel', 'conversations', 'history'] as const;
export type PartName = (typeof PARTS)[number];

export interface WidthOptions {
  parts: PartName[];
  /** Idle sockets, on two nodes together. */
  sockets: number;
  /** Clients that lose their node at once. */
  storm: number;
  /** Members of the channel, and how many of them are connected. */
  members: number;
  connected: number;
  /** Conversations of one user. */
  conversations: number;
  /** Messages of one conversation. */
  messages: number;
  keep: boolean;
}

export const USAGE = `npm run width -- [options]
  --only NAME,…      which of ${PARTS.join(', ')} (default: all)
  --sockets N        idle sockets over two nodes (default 10000)
  --storm N          clients whose node dies, and later drains (default 5000)
  --members N        members of the channel (default 5000)
  --connected N      how many of them are connected (default 1000)
  --conversations N  conversations of one user (default 2000)
  --messages N       messages of one conversation (default 300000)
  --keep             leave the temporary directory with data and logs in place`;

const DEFAULTS = {
  sockets: 10_000,
  storm: 5_000,
  members: 5_000,
  connected: 1_000,
  conversations: 2_000,
  messages: 300_000,
};

/** @throws LocalError with the usage; undefined when help was asked for. */
export function parseOptions(args: string[]): WidthOptions | undefined {
  const values = read(args);
  if (values.help) return undefined;
  const number = (name: keyof typeof DEFAULTS): number => {
    const text = values[name];
    const value = text === undefined ? DEFAULTS[name] : Number(text);
    if (!Number.isInteger(value) || value < 10)
      throw new LocalError(`--${name} takes a number from 10, not "${text}".`, USAGE);
    return value;
  };
  return {
    parts: partsOf(values.only),
    sockets: number('sockets'),
    storm: number('storm'),
    members: number('members'),
    connected: number('connected'),
    conversations: number('conversations'),
    messages: number('messages'),
    keep: values.keep,
  };
}

function partsOf(text: string | undefined): PartName[] {
  if (text === undefined) return [...PARTS];
  const names = text.split(',').filter(Boolean);
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined || names.length === 0)
    throw new LocalError(`--only: there is no part "${unknown ?? ''}".`, USAGE);
  return PARTS.filter((part) => names.includes(part));
}

function read(args: string[]) {
  const options = {
    only: { type: 'string' },
    sockets: { type: 'string' },
    storm: { type: 'string' },
    members: { type: 'string' },
    connected: { type: 'string' },
    conversations: { type: 'string' },
    messages: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  return readOptions(args, options, USAGE);
}

/** How many people the chosen parts need. */
export function peopleFor({ parts, ...options }: WidthOptions): number {
  const needs: Record<PartName, number> = {
    idle: Math.ceil(options.sockets / 2),
    storm: options.storm,
    channel: options.members,
    conversations: options.conversations,
    history: 10,
  };
  return Math.max(100, ...parts.map((part) => needs[part]));
}
