import { LocalError, readOptions } from '@parley/tool-local';

const USAGE = `npm run test:compose -- [OPTION]...      builds the images, brings several instances of every app up with Docker Compose,
                                         and talks through them while parts are replaced, stopped and killed
  --only A,B        only what is done to these, as in the first column of the table: "replace auth", "kill redis"
  --file FILE       a further Compose file; may be repeated
  --project NAME    default parley-test; its volumes are removed at the end
  --tls             encrypted: HTTPS at the gateway, TLS to the servers
  --balanced        two gateways behind HAProxy, which are replaced and killed, too
  --no-build        take the images that are here
  --monitoring      bring up Prometheus, Grafana and the others, too, and look at what they saw
  --pace MS         how often each of the three people speaks; default 100
  --keep            leave it running, for a look
npm run test:kubernetes -- [OPTION]...   the same in the cluster of the current context, with an overlay of k8s/
  --overlay DIR     default k8s/overlays/local; its namespace must not be there yet, and is removed at the end
  --context NAME    another context
  --url URL         of the gateway, where its node port is not reached at the node's address
  --only, --pace, --keep   as above`;

const ENGINES = ['compose', 'kubernetes'] as const;

export interface Arguments {
  engine: (typeof ENGINES)[number];
  /** Names of acts; all when undefined. */
  only: string[] | undefined;
  keeps: boolean;
  paceMs: number;
  files: string[];
  project: string;
  builds: boolean;
  monitoring: boolean;
  tls: boolean;
  balanced: boolean;
  overlay: string;
  context: string | undefined;
  url: string | undefined;
}

/** @throws LocalError with the usage */
export function readArguments([engine, ...args]: string[]): Arguments {
  const values = readOptions(
    args,
    {
      only: { type: 'string' },
      pace: { type: 'string', default: '100' },
      keep: { type: 'boolean', default: false },
      file: { type: 'string', multiple: true, default: [] },
      project: { type: 'string', default: 'parley-test' },
      'no-build': { type: 'boolean', default: false },
      tls: { type: 'boolean', default: false },
      balanced: { type: 'boolean', default: false },
      monitoring: { type: 'boolean', default: false },
      overlay: { type: 'string', default: 'k8s/overlays/local' },
      context: { type: 'string' },
      url: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
    USAGE,
  );
  if (values.help) throw new LocalError('npm run test:compose, npm run test:kubernetes', USAGE);
  const known = ENGINES.find((name) => name === engine);
  if (!/^[1-9]\d{1,4}$/.test(values.pace))
    throw new LocalError(`--pace ${values.pace}: milliseconds, 10 to 99999`, USAGE);
  if (!known) throw new LocalError(`There is no engine ${engine ?? ''}.`, USAGE);
  return {
    engine: known,
    only: values.only?.split(',').map((name) => name.trim()),
    keeps: values.keep,
    paceMs: Number(values.pace),
    files: values.file,
    project: values.project,
    builds: !values['no-build'],
    monitoring: values.monitoring,
    tls: values.tls,
    balanced: values.balanced,
    overlay: values.overlay,
    context: values.context,
    url: values.url?.replace(/\/$/, ''),
  };
}
