import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestServers } from './servers';

/**
 * One request to RabbitMQ's management API.
 * @throws Error on any answer but 2xx. Answers without a body give undefined.
 */
export async function managementRequest<Answer = void>(
  servers: Pick<TestServers, 'amqpManagementUrl'>,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const { username, password, hostname, port } = new URL(servers.amqpManagementUrl);
  // Not fetch: its pool would hold a connection open, and the test process with it.
  const sent = request({
    method,
    hostname,
    port,
    path,
    auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
    headers: { 'content-type': 'application/json' },
    agent: false,
  });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const answer = await text(response);
  const { statusCode = 0 } = response;
  if (statusCode < 200 || statusCode > 299)
    throw new Error(`${method} ${path} answered ${statusCode}: ${answer}`);
  return (answer === '' ? undefined : JSON.parse(answer)) as Answer;
}
