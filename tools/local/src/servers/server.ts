import type { MongoKind } from './mongodb/probe';

/** One backing server. */
export interface Server {
  readonly name: ServerName;
  /** Connection string with credentials. It stays the same over `stop` and `start`. */
  readonly url: string;
  /** False for a server that was given by an environment variable: it can be used, but not started or stopped. */
  readonly managed: boolean;
  /** The process id while it runs; undefined when it is stopped or not managed. */
  readonly pid: number | undefined;
  /** Starts it on the same port with the same data and waits until it answers. */
  start(): Promise<void>;
  /** Orderly stop: data is flushed. */
  stop(): Promise<void>;
  /** SIGKILL, as in a crash. */
  kill(): Promise<void>;
  /** SIGSTOP to all its processes: connections stay open and nothing answers. */
  freeze(): void;
  /** Ends `freeze`. */
  thaw(): void;
}

export type ServerName = 'postgres' | 'redis' | 'rabbitmq' | 'mongodb';

export interface RabbitServer extends Server {
  /** Base URL of the management API with credentials, e.g. to create virtual hosts. */
  readonly managementUrl: string;
  /** `host:port` of its metrics; undefined for a server that was given. */
  readonly metricsAddress?: string;
}

/** One server of a replica set, by itself. */
export interface Member extends Pick<Server, 'pid' | 'start' | 'stop' | 'kill' | 'freeze' | 'thaw'> {
  readonly name: string;
}

export interface MongoServer extends Server {
  /** What it is: MongoDB itself, or FerretDB in its place, which keeps its data in PostgreSQL and can do less. */
  readonly kind: MongoKind;
  /** Of a replica set of our own; there are none where it was given, or is FerretDB. */
  readonly members: readonly Member[];
  /** The member that takes writes. @throws Error while there is none, and where there are no members */
  primary(): Promise<Member>;
  /** Resolves when every member has caught up, so that the set outlives the loss of one. */
  untilInService(): Promise<void>;
  /** What the server needs once the apps' migrations have run there. */
  afterMigrations?(): Promise<void>;
}

export const noMembers: Pick<MongoServer, 'members' | 'primary' | 'untilInService'> = {
  members: [],
  untilInService: () => Promise.resolve(),
  primary: () => Promise.reject(new Error('This MongoDB has no members of ours.')),
};

export interface ServerOptions {
  /** True: every acknowledged write survives a crash of the machine (the product). False: faster, for tests. */
  durable: boolean;
}
