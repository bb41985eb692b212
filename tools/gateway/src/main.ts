import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ConfigError } from './config/errors';
import { startGateway } from './gateway';

const usage = `usage: node tools/gateway/dist/main.js --config FILE [--port N] [--host H]
           [--tls-port N --tls-cert FILE --tls-key FILE] [--trusted FILE] [--status-port N] [--log-level L]
  --config       a rendered kong.yml; it is watched, and SIGHUP reads it again
  --port         default 8000, with --tls-port none; 0 takes a free one
  --tls-port     of HTTPS; --tls-cert and --tls-key are PEM files, watched like the configuration
  --trusted      PEM file of the authorities by which Redis is trusted; default: those that Node knows
  --host         default 127.0.0.1
  --status-port  serves /metrics and /status/ready; default: nowhere
  --trusted-ips  A,…  load balancers in front whose X-Forwarded-* is believed; default: nobody
  --log-level    default info`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      port: { type: 'string' },
      'tls-port': { type: 'string' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      trusted: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      'status-port': { type: 'string' },
      'trusted-ips': { type: 'string', default: '' },
      'log-level': { type: 'string', default: 'info' },
    },
  });
  if (!values.config) throw new Error('--config is missing');
  const log = pino({ name: 'gateway', level: values['log-level'] });
  const statusPort = values['status-port'];
  const { 'tls-port': tlsPort, 'tls-cert': certFile, 'tls-key': keyFile } = values;
  if (tlsPort !== undefined && (!certFile || !keyFile)) throw new Error('--tls-cert or --tls-key is missing');
  const gateway = await startGateway({
    configFile: values.config,
    port: values.port === undefined && tlsPort !== undefined ? undefined : portNumber(values.port ?? '8000'),
    tls:
      tlsPort === undefined
        ? undefined
        : { port: portNumber(tlsPort), certFile: certFile!, keyFile: keyFile! },
    trustedFile: values.trusted,
    host: values.host,
    statusPort: statusPort === undefined ? undefined : portNumber(statusPort),
    watch: true,
    trustedIps: values['trusted-ips'].split(',').filter(Boolean),
    logger: log,
  });
  log.info({ url: gateway.url, statusPort: gateway.statusPort }, 'gateway listens');

  process.on('SIGHUP', () => {
    gateway.reload().catch((error: unknown) => log.error({ err: error }, 'the old configuration goes on'));
  });
  const stop = () => {
    log.info('gateway drains');
    void gateway.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${text} is no port`);
  return port;
}

main().catch((error: NodeJS.ErrnoException) => {
  if (error instanceof ConfigError) console.error(error.message);
  else if (error.code === 'EADDRINUSE') console.error(`${error.message}: another program uses this port`);
  else console.error(`${error.message}\n${usage}`);
  process.exit(1);
});
