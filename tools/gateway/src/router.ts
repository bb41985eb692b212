import type { RouteEntry, ServiceEntry } from './config/entity.schema';
import type { Plugin } from './plugins/plugin';

export interface CompiledService {
  name: string;
  /** Name of an upstream, or a host name. */
  host: string;
  port: number;
  path: string;
  connectTimeoutMs: number;
  readTimeoutMs: number;
  writeTimeoutMs: number;
  retries: number;
}

export interface CompiledRoute {
  entry: RouteEntry;
  service?: CompiledService;
  /** In the order in which they run. */
  plugins: Plugin[];
}

export interface Match {
  route: CompiledRoute;
  /** How many characters of the path the route's own path covers. */
  matchedLength: number;
}

interface Candidate {
  route: CompiledRoute;
  methods?: Set<string>;
  prefix?: string;
  pattern?: RegExp;
  /** Compared field by field, the greater first: fields that match, regex, its priority, length of the prefix. */
  rank: [number, number, number, number];
}

export function compileService(entry: ServiceEntry): CompiledService {
  const url = entry.url ? new URL(entry.url) : undefined;
  const path = (url ? url.pathname : entry.path) ?? '/';
  return {
    name: entry.name,
    host: url ? url.hostname : entry.host!,
    port: url ? Number(url.port || 80) : entry.port,
    path: path.replace(/\/$/, ''),
    connectTimeoutMs: entry.connect_timeout,
    readTimeoutMs: entry.read_timeout,
    writeTimeoutMs: entry.write_timeout,
    retries: entry.retries,
  };
}

/** Kong's traditional_compatible router, for routes by path and method. */
export class Router {
  private readonly candidates: Candidate[];

  constructor(routes: CompiledRoute[]) {
    this.candidates = routes.flatMap(expand).sort((left, right) => {
      const at = left.rank.findIndex((value, index) => value !== right.rank[index]);
      return at < 0 ? 0 : right.rank[at]! - left.rank[at]!;
    });
  }

  match(method: string, path: string): Match | undefined {
    for (const { route, methods, prefix, pattern } of this.candidates) {
      if (methods && !methods.has(method)) continue;
      if (prefix !== undefined) {
        if (path.startsWith(prefix)) return { route, matchedLength: prefix.length };
      } else if (pattern) {
        const found = pattern.exec(path);
        if (found) return { route, matchedLength: found[0].length };
      } else return { route, matchedLength: 0 };
    }
    return undefined;
  }
}

function expand(route: CompiledRoute): Candidate[] {
  const { paths, methods, regex_priority: priority } = route.entry;
  const weight = (paths ? 1 : 0) + (methods ? 1 : 0);
  const common = { route, methods: methods && new Set(methods) };
  if (!paths) return [{ ...common, rank: [weight, 0, 0, 0] }];
  return paths.map((path) =>
    path.startsWith('~')
      ? { ...common, pattern: new RegExp(`^${path.slice(1)}`, 'u'), rank: [weight, 1, priority, 0] }
      : { ...common, prefix: path, rank: [weight, 0, 0, path.length] },
  );
}
