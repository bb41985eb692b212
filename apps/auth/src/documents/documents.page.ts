/** What of an OpenAPI document the page shows. */
export interface OpenApi {
  info?: { title?: string; version?: string; description?: string };
  paths?: Record<string, Record<string, { summary?: string; tags?: string[] } | undefined>>;
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

/** A page for people: every operation by its group, and where the documents for programs lie. */
export function documentsPage(openApi: OpenApi): string {
  const title = text(openApi.info?.title ?? 'parley');
  const groups = new Map<string, string[]>();
  for (const [path, item] of Object.entries(openApi.paths ?? {})) {
    for (const method of methods) {
      const operation = item[method];
      if (!operation) continue;
      const group = operation.tags?.[0] ?? 'other';
      const row = `<tr><td><code>${method.toUpperCase()}</code></td><td><code>${text(path)}</code></td><td>${text(operation.summary ?? '')}</td></tr>`;
      groups.set(group, [...(groups.get(group) ?? []), row]);
    }
  }
  const tables = [...groups].map(
    ([group, rows]) => `<h2>${text(group)}</h2>\n<table>\n${rows.join('\n')}\n</table>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid #8884; padding: .3rem .6rem .3rem 0; vertical-align: top; }
td:nth-child(-n+2) { white-space: nowrap; }
</style>
</head>
<body>
<h1>${title} ${text(openApi.info?.version ?? '')}</h1>
<p>${text(openApi.info?.description ?? '')}</p>
<p>For programs: <a href="/docs/openapi.json">OpenAPI</a> (HTTP), <a href="/docs/asyncapi.json">AsyncAPI</a> (socket and broker),
<a href="/v1/limits">limits</a>.</p>
${tables.join('\n')}
</body>
</html>
`;
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function text(value: string): string {
  return value.replace(/[&<>"]/g, (character) => escapes[character] ?? character);
}
