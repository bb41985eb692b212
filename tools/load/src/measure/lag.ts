/** How far one follower of the log is behind what was announced to it. */
export interface Lag {
  name: string;
  rows: number;
}

/** A gauge that counts the rows of the log which an instance has yet to apply. */
const LAG_LINE = /^(?!nodejs_)\w*lag_rows(?:\{[^}]*\})? (\S+)$/gm;

/**
 * Reads the lag of each follower from its `/metrics`.
 * @param followers base addresses by instance name
 * @throws Error when one does not say it: a missing figure must not look like a good one.
 */
export function readLags(followers: ReadonlyMap<string, string>): Promise<Lag[]> {
  return Promise.all(
    [...followers].map(async ([name, url]) => {
      const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
      const rows = parseLag(await response.text());
      if (rows === undefined) throw new Error(`${name} shows no lag among its metrics.`);
      return { name, rows };
    }),
  );
}

/** The sum of all lag gauges in a Prometheus text; undefined when there is none. */
export function parseLag(text: string): number | undefined {
  const values = [...text.matchAll(LAG_LINE)].map((match) => Number(match[1]));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}
