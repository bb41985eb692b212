// Whether dashboards are what Grafana's own schema says.
import { typeErrors } from './types.mjs';

const FROM = '@grafana/schema';

/** `dashboards` are `{file, content}`; findings as text, none where all is well. */
export function dashboardErrors(dashboards) {
  const items = dashboards.flatMap(({ file, content: { panels, ...rest } }) => [
    { id: file, from: FROM, type: 'Dashboard', value: rest },
    ...panels.map((value) => ({ id: `${file}: ${value.title}`, from: FROM, type: 'Panel', value })),
  ]);
  return [
    ...typeErrors(items).map(({ id, message }) => `${id}: ${message}`),
    ...dashboards.flatMap(({ file, content }) => {
      const ids = content.panels.map(({ id }) => id);
      const unique = new Set(ids).size === ids.length && content.uid && content.title;
      return unique ? [] : [`${file}: no uid, no title or two panels of one id`];
    }),
  ];
}
