/** What commands may name. */
export interface Known {
  /** Names of package.json. */
  scripts: ReadonlySet<string>;
  /** Services of all Compose files. */
  services: ReadonlySet<string>;
  /** `Kind/name` of all manifests. */
  resources: ReadonlySet<string>;
  /** Whether the workspace holds this file or folder. */
  exists(path: string): boolean;
}

const SERVICE_VERBS = new Set(
  'build create exec kill logs ps pull restart rm run start stop top up'.split(' '),
);
/** What comes after the service is a command of its own. */
const ONE_SERVICE = new Set(['exec', 'run']);
/** Shell functions of docs/operations.md that take services. */
const FUNCTIONS = new Set(['restart_each', 'replace', 'migrate']);
/** Options of docker compose and kubectl whose value is the next word. */
const WITH_VALUE = new Set(
  '-c -e -f -k -n -t -u --container --env --filename --index --namespace --output --patch --selector --signal --since --tail --timeout --user'.split(
    ' ',
  ),
);
/** As kubectl takes them, beside their plurals. */
const KINDS: Record<string, string> = {
  configmap: 'ConfigMap',
  deployment: 'Deployment',
  hpa: 'HorizontalPodAutoscaler',
  job: 'Job',
  pod: 'Pod',
  pvc: 'PersistentVolumeClaim',
  secret: 'Secret',
  service: 'Service',
  statefulset: 'StatefulSet',
};
const OPERATOR = /^(?:\|\||&&|[|;&<>()\n])$/;
const KEYWORD = /^(?:do|then|else|if|while|until|!|\{|\w+=.*)$/;

/** What the `sh` blocks of a Markdown file name that is not there, each as a sentence. */
export function checkCommands(markdown: string, known: Known): string[] {
  const blocks = [...markdown.matchAll(/^ *```(?:sh|bash)\n([\s\S]*?)^ *```/gm)].map(([, text]) => text!);
  return blocks.flatMap(commandsOf).flatMap((words) => checkCommand(words, known));
}

/** The words of each simple command. Here-documents and comments are left out; `$(…)` outside of quotes is a command, too. */
function commandsOf(block: string): string[][] {
  const text = block
    .replace(/\\\n/g, ' ')
    .replace(/<<-?'?(\w+)'?(.*)\n[\s\S]*?^\s*\1$/gm, '$2')
    .replace(/(^|\s)#\s.*$/gm, '$1');
  const words = text.match(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"|;&<>()\\])+|\|\||&&|[|;&<>()\n]/g) ?? [];
  const commands: string[][] = [[]];
  for (const word of words)
    if (OPERATOR.test(word)) commands.push([]);
    else if (commands.at(-1)!.length > 0 || !KEYWORD.test(word)) commands.at(-1)!.push(word);
  return commands.filter((command) => command.length > 0);
}

function checkCommand([program = '', ...args]: string[], known: Known): string[] {
  if (program === 'npm') return checkScript(args, known);
  if (program === 'node') return checkProgram(args, undefined, known);
  if (FUNCTIONS.has(program)) return checkServices(args, known);
  if (program === 'parley') return checkCompose(args, known);
  if (program === 'docker') return checkDocker(args, known);
  if (program === 'kubectl' || program === 'kparley') return checkKubectl(args, known);
  return [];
}

function checkScript([verb = '', ...rest]: string[], { scripts }: Known): string[] {
  const name = verb === 'run' ? rest.find((word) => !word.startsWith('-')) : verb;
  if (!['run', 'start', 'test'].includes(verb) || name === undefined || scripts.has(name)) return [];
  return [`There is no script ${name}.`];
}

/** @param app whose image it runs in, if in any */
function checkProgram([file = '']: string[], app: string | undefined, { exists }: Known): string[] {
  if (!/^[\w./-]+\.m?js$/.test(file)) return [];
  const source = app === undefined ? file : `apps/${app}/${file.replace(/^dist\/(.*)\.js$/, 'src/$1.ts')}`;
  return exists(source) ? [] : [`There is no ${source}.`];
}

function checkDocker([verb = '', ...args]: string[], known: Known): string[] {
  if (verb !== 'compose' && verb !== 'build') return [];
  const files = args.filter((_, at) => args[at - 1] === '-f');
  const found = files.filter((file) => !known.exists(file)).map((file) => `There is no ${file}.`);
  const rest = args.filter((word, at) => word !== '-f' && args[at - 1] !== '-f');
  return verb === 'compose' ? [...found, ...checkCompose(rest, known)] : found;
}

function checkCompose([verb = '', ...args]: string[], known: Known): string[] {
  if (!SERVICE_VERBS.has(verb)) return [];
  const scaled = args.filter((_, at) => args[at - 1] === '--scale').map((word) => word.split('=')[0]!);
  const plain = operands(args.filter((word, at) => word !== '--scale' && args[at - 1] !== '--scale'));
  if (!ONE_SERVICE.has(verb)) return checkServices([...scaled, ...plain], known);
  const [service = '', program, ...rest] = plain;
  const found = checkServices([service], known);
  if (program !== 'node' || found.length > 0) return found;
  return checkProgram(rest, service.replace('migrate-', ''), known);
}

function checkServices(names: readonly string[], { services }: Known): string[] {
  return names
    .filter((name) => /^[\w-]+$/.test(name) && !services.has(name))
    .map((name) => `There is no service ${name}.`);
}

function checkKubectl(args: string[], known: Known): string[] {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const folders = own.filter((_, at) => own[at - 1] === '-k');
  const [verb, ...words] = operands(own);
  if (verb === 'kustomize') folders.push(...words.splice(0));
  const named = verb === 'exec' ? [podOf(words[0] ?? '')] : namedBy(words);
  const found = [
    ...folders.filter((folder) => !known.exists(folder)).map((folder) => `There is no ${folder}.`),
    ...named
      .filter((name) => !isThere(name, known))
      .map((name) => `There is no ${name.replace('/', ' ')} in k8s.`),
  ];
  const [program, ...rest] = end === -1 ? [] : args.slice(end + 1);
  const app = /^Deployment\/(.*)/.exec(named[0] ?? '')?.[1];
  return program === 'node' && app !== undefined ? [...found, ...checkProgram(rest, app, known)] : found;
}

function podOf(word: string): string {
  return word.includes('/') ? namedBy([word])[0]! : `Pod/${word}`;
}

/** `deployment/kong`, or `deployment kong realtime`, as `Deployment/kong` and so on. */
function namedBy(words: readonly string[]): string[] {
  let kind: string | undefined;
  return words.flatMap((word) => {
    const [type = '', name] = word.split('/');
    const known = KINDS[type.replace(/s$/, '')];
    if (known !== undefined) kind = known;
    if (name !== undefined) return [`${known ?? type}/${name}`];
    return known === undefined && kind !== undefined && /^[\w-]+$/.test(word) ? [`${kind}/${word}`] : [];
  });
}

/** Pods and their volumes are named by what makes them. */
function isThere(name: string, { resources }: Known): boolean {
  if (name.includes('$') || resources.has(name)) return true;
  const pod = /^Pod\/(.*)-\d+$/.exec(name)?.[1] ?? /^PersistentVolumeClaim\/[a-z]+-(.*)-\d+$/.exec(name)?.[1];
  return ['StatefulSet', 'Cluster', 'MongoDBCommunity'].some((kind) => resources.has(`${kind}/${pod}`));
}

/** The words that are neither options nor their values. */
function operands(words: readonly string[]): string[] {
  return words.filter((word, at) => !word.startsWith('-') && !WITH_VALUE.has(words[at - 1] ?? ''));
}
