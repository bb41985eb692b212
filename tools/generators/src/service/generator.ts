import { join } from 'node:path';
import { formatFiles, generateFiles, names, type Tree } from '@nx/devkit';

interface ServiceSchema {
  name: string;
}

/** The name is also part of environment variables, schemas and paths: nothing that any of them would refuse. */
const NAME = /^[a-z][a-z0-9]{1,29}$/;
/** The same depth from src/ and dist/. */
const TEMPLATES = join(__dirname, '../../templates/service');

/**
 * Makes apps/<name>: an app that starts, answers health and metrics, checks access tokens, and has a README and a test.
 * `npm start` runs it from then on and the gateway routes /v1/<name> to it.
 * @throws Error when the name is taken or unfit, or a file that must list the app looks otherwise than expected.
 */
export default async function serviceGenerator(tree: Tree, { name }: ServiceSchema): Promise<void> {
  if (!NAME.test(name)) throw new Error(`"${name}" is no app name: 2 to 30 lower case letters and digits`);
  if (tree.exists(`apps/${name}`)) throw new Error(`apps/${name} is there already`);
  const port = nextPort(tree);
  generateFiles(tree, TEMPLATES, `apps/${name}`, { name, className: names(name).className, port });
  for (const registration of registrations(name, port)) register(tree, registration);
  await formatFiles(tree);
}

/** The default ports of apps are 3001, 3002, …; the new one gets the next. */
function nextPort(tree: Tree): number {
  const ports = tree.children('apps').flatMap((app) => {
    const config = tree.read(`apps/${app}/src/config.ts`, 'utf8') ?? '';
    const [, port] = /PORT: numberVariable\((\d+)/.exec(config) ?? [];
    return port === undefined ? [] : [Number(port)];
  });
  return Math.max(3000, ...ports) + 1;
}

interface Registration {
  file: string;
  /** Text that is in the file exactly once. */
  find: string;
  replace: string;
}

/** The places outside of apps/<name> that list every app. */
function registrations(name: string, port: number): Registration[] {
  const gateway = 'tools/gateway/src';
  return [
    { file: 'tools/local/src/apps/catalogue.ts', find: "'realtime']", replace: `'realtime', '${name}']` },
    {
      file: `${gateway}/render-environment.ts`,
      find: 'realtime: 3006,',
      replace: `realtime: 3006, ${name}: ${port},`,
    },
    { file: `${gateway}/render-config.ts`, find: "| 'realtime'", replace: `| 'realtime' | '${name}'` },
    {
      file: `${gateway}/conformance/config.ts`,
      find: "realtime: at('realtime'),",
      replace: `realtime: at('realtime'), ${name}: at('${name}'),`,
    },
    { file: 'docker/kong/kong.yml', find: '\nservices:\n', replace: `${upstream(name)}\nservices:\n` },
    { file: 'docker/kong/kong.yml', find: '\nroutes:\n', replace: `${route(name)}\nroutes:\n` },
  ];
}

function upstream(name: string): string {
  return `  - name: ${name}.upstream
    algorithm: round-robin
    targets: \${${name.toUpperCase()}_TARGETS}
    healthchecks: *healthchecks
`;
}

function route(name: string): string {
  return `
  - name: ${name}
    host: ${name}.upstream
    port: 80
    protocol: http
    connect_timeout: 2000
    read_timeout: 10000
    write_timeout: 10000
    retries: 1
    routes:
      - name: ${name}
        paths:
          - ~/v1/${name}(?:/|$)
        methods: [GET, HEAD]
        strip_path: false
    plugins: [*jwt, *rl_user]
`;
}

function register(tree: Tree, { file, find, replace }: Registration): void {
  const text = tree.read(file, 'utf8') ?? '';
  if (text.split(find).length !== 2)
    throw new Error(
      `${file} does not contain ${JSON.stringify(find)} once: the generator must learn its new shape`,
    );
  tree.write(
    file,
    text.replace(find, () => replace),
  );
}
