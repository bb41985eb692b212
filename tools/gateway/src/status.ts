import { createServer, type Server } from 'node:http';
import type { GatewayMetrics } from './metrics';

/** Kong's status listener: `/status`, `/status/ready` and `/metrics`, apart from the public address. */
export function createStatusServer(metrics: GatewayMetrics, isReady: () => boolean): Server {
  return createServer((request, response) => {
    const say = (status: number, message: string) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify({ message }));
    };
    const path = request.url!.split('?', 1)[0];
    if (path === '/status') return say(200, 'running');
    if (path === '/status/ready') return isReady() ? say(200, 'ready') : say(503, 'draining');
    if (path !== '/metrics') return say(404, 'Not found');
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      (error: Error) => say(500, error.message),
    );
    return undefined;
  });
}
