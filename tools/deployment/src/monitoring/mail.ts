import { randomBytes } from 'node:crypto';
import { until } from '@parley/tool-load';

/** Alertmanager gathers half a minute (`group_wait`) what goes into one mail. */
const MAIL_WITHIN_MS = 90_000;

interface Mails {
  messages: { Subject: string; To: { Address: string }[] }[];
}

/**
 * Raises an alert at Alertmanager, as Prometheus does, and waits for the mail about it.
 * @returns what was wrong
 */
export async function tryMail(alertmanagerUrl: string, mailUrl: string): Promise<string[]> {
  const alertname = `TriedOut${randomBytes(4).toString('hex')}`;
  const raised = await fetch(`${alertmanagerUrl}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([
      { labels: { alertname, severity: 'warning' }, annotations: { summary: 'Somebody tries this out' } },
    ]),
  });
  if (!raised.ok) return [`Alertmanager answered an alert with ${raised.status}: ${await raised.text()}`];
  const isThere = async (): Promise<boolean> => {
    const { messages } = (await (await fetch(`${mailUrl}/api/v1/messages`)).json()) as Mails;
    return messages.some(({ Subject }) => Subject.includes(alertname));
  };
  const isTold = await until(isThere, MAIL_WITHIN_MS);
  return isTold ? [] : [`no mail about an alert within ${MAIL_WITHIN_MS / 1000} s`];
}
