const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ'];

/** Variables of the caller that no child should miss. */
export function inheritedEnvironment(): Record<string, string> {
  const kept = INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
  return Object.fromEntries(kept) as Record<string, string>;
}
