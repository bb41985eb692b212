import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Source {
  name: string;
  uid: string;
}

/** A running Grafana, asked over its HTTP interface as its administrator. */
export class Grafana {
  readonly headers: Record<string, string>;

  constructor(
    private readonly url: string,
    { user, password }: { user: string; password: string },
  ) {
    this.headers = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  }

  /** Where a source of data is asked through Grafana: by the address, and with the password, that it was given for it. */
  through(uid: string): string {
    return `${this.url}/api/datasources/proxy/uid/${uid}`;
  }

  get(url: string): Promise<Response> {
    return fetch(url, { headers: this.headers, signal: AbortSignal.timeout(10_000) });
  }

  /** Which sources and dashboards of a folder like docker/grafana it has not read. */
  async missing(folder: string): Promise<string[]> {
    const sources = await this.list<Source>('datasources');
    const dashboards = await this.list<{ uid: string }>('search?type=dash-db&limit=1000');
    return [
      ...sourcesOf(folder)
        .filter(({ uid, name }) => !sources.some((known) => known.uid === uid && known.name === name))
        .map(({ name }) => `Grafana has no data source ${name}`),
      ...dashboardsOf(folder)
        .filter(({ uid }) => !dashboards.some((known) => known.uid === uid))
        .map(({ title }) => `Grafana has no dashboard ${title}`),
    ];
  }

  private async list<T>(path: string): Promise<T[]> {
    const response = await this.get(`${this.url}/api/${path}`);
    if (!response.ok) throw new Error(`Grafana: /api/${path} was answered with ${response.status}`);
    return (await response.json()) as T[];
  }
}

function sourcesOf(folder: string): Source[] {
  const files = filesOf(join(folder, 'provisioning/datasources'));
  return files.flatMap((text) => (parse(text) as { datasources: Source[] }).datasources);
}

function dashboardsOf(folder: string): { uid: string; title: string }[] {
  return filesOf(join(folder, 'dashboards')).map(
    (text) => JSON.parse(text) as { uid: string; title: string },
  );
}

function filesOf(folder: string): string[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
}
