import type { Message } from '@parley/contracts';

export interface Sent {
  sender: string;
  body: string;
  /** Set once it was acknowledged. */
  stored?: Message;
}

export interface Observed {
  /** In the order in which each sender sent. */
  sent: Sent[];
  /** What a reader finds who was not there: all pages, oldest first. */
  log: Message[];
  /** What each connected person holds in the end. */
  views: Map<string, Message[]>;
}

/** A deleted message has no text; nobody deletes here. */
const textOf = ({ body }: Message): string => body ?? '';

/** What became of messages that should not: one sentence each, none when all is well. */
export function judge({ sent, log, views }: Observed): string[] {
  const findings: string[] = [];
  const stored = new Map<string, number>();
  for (const text of log.map(textOf)) stored.set(text, (stored.get(text) ?? 0) + 1);
  for (const { body, stored: acknowledged } of sent) {
    const count = stored.get(body) ?? 0;
    if (count === 0 && acknowledged) findings.push(`lost: "${body}" was acknowledged`);
    if (count > 1) findings.push(`doubled: "${body}" is there ${count} times`);
  }
  log.forEach(({ number, body }, at) => {
    const expected = log[0]!.number + at;
    if (number !== expected) findings.push(`gap: "${body}" is number ${number}, not ${expected}`);
  });
  for (const sender of new Set(sent.map((one) => one.sender))) {
    const order = sent.filter((one) => one.sender === sender && stored.has(one.body)).map(({ body }) => body);
    const own = new Set(order);
    const found = [...new Set(log.map(textOf))].filter((body) => own.has(body));
    const at = order.findIndex((body, index) => found[index] !== body);
    if (at >= 0) findings.push(`reordered: ${sender} sent "${order[at]}" before "${found[at]}"`);
  }
  const told = log.map(({ number, body }) => `${number} ${body}`);
  for (const [name, held] of views) {
    const view = held.map(({ number, body }) => `${number} ${body}`);
    const at = told.findIndex((line, index) => view[index] !== line);
    if (at >= 0) findings.push(`diverged: ${name} holds "${view[at]}" where the log says "${told[at]}"`);
    else if (view.length > told.length)
      findings.push(`diverged: ${name} holds "${view[told.length]}" as well`);
  }
  return findings;
}
