import type { PanelQuery } from './panels';
import type { PrometheusQueries } from './query';

/**
 * What is wrong with the queries of panels, asked of what was seen between two moments, in ms.
 * @param mayBeEmpty says of an expression that it needs no data
 */
export async function examinePanels(
  prometheus: PrometheusQueries,
  queries: PanelQuery[],
  from: number,
  to: number,
  mayBeEmpty: (expr: string) => boolean = () => false,
): Promise<string[]> {
  const findings: string[] = [];
  for (const { dashboard, panel, expr } of queries) {
    const where = `${dashboard}: ${panel}: ${expr}`;
    try {
      const series = await prometheus.seriesWithData(expr, from, to);
      if (series === 0 && !mayBeEmpty(expr)) findings.push(`${where}: no data`);
    } catch (error) {
      findings.push(`${where}: ${(error as Error).message}`);
    }
  }
  return findings;
}
