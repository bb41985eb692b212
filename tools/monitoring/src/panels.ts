import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One query of one panel. */
export interface PanelQuery {
  dashboard: string;
  panel: string;
  /** PromQL, Grafana's variables filled in. */
  expr: string;
}

interface Dashboard {
  title: string;
  panels: { title: string; targets?: { expr: string }[] }[];
}

/**
 * Every query of every dashboard in a folder of Grafana's JSON files.
 * @param rateInterval what Grafana would choose for `$__rate_interval`, e.g. `15s`
 */
export function panelQueries(folder: string, rateInterval: string): PanelQuery[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files.sort().flatMap((file) => {
    const { title, panels } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard;
    return panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr }) => ({
        dashboard: title,
        panel: panel.title,
        expr: expr.replaceAll('$__rate_interval', rateInterval),
      })),
    );
  });
}
