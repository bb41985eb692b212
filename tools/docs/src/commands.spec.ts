import { checkCommands, type Known } from './commands';

const known: Known = {
  scripts: new Set(['start', 'check:docker']),
  services: new Set(['kong', 'history', 'migrate-messaging', 'postgres']),
  resources: new Set([
    'Deployment/kong',
    'Deployment/history',
    'StatefulSet/postgres',
    'ConfigMap/history-log',
  ]),
  exists: (path) =>
    [
      'docker/compose.yml',
      'docker/Dockerfile',
      'docker/keys.mjs',
      'apps/history/src/replay-parked.ts',
      'apps/messaging/src/new-epoch.ts',
      'k8s/overlays/local',
    ].includes(path),
};

const check = (...lines: string[]): string[] =>
  checkCommands(['Text.', '', '```sh', ...lines, '```', ''].join('\n'), known);

test('what is there is not named', () => {
  expect(
    check(
      'npm start -- --tls && npm run check:docker',
      'node docker/keys.mjs add        # node docker/nothing.mjs',
      'VERSION=1 docker compose -f docker/compose.yml up --detach --wait --scale history=2',
      'for app in $(parley ps --quiet kong); do docker exec $app true; done',
      'parley() { docker compose -f docker/compose.yml "$@"; }',
      'parley exec -T postgres psql --username=parley <<SQL',
      'npm run nothing',
      'SQL',
      'parley run --rm migrate-messaging node dist/new-epoch.js',
      'parley logs --since 2m history | grep nothing',
      'parley kill --signal HUP kong; parley exec $member sh',
      'kubectl apply -k k8s/overlays/local --selector app=x',
      'kubectl kustomize k8s/overlays/local | cat',
      "kparley patch configmap history-log --patch '{}'",
      'kparley exec deployment/history -- node dist/replay-parked.js',
      'kparley exec --stdin postgres-0 -- psql < x && kparley delete pvc data-postgres-0',
      'kparley rollout status deployment --timeout=5m',
    ),
  ).toEqual([]);
});

test.each([
  ['npm run check:nothing', 'There is no script check:nothing.'],
  ['npm test', 'There is no script test.'],
  ['node docker/key.mjs add', 'There is no docker/key.mjs.'],
  ['docker compose -f docker/compose.none.yml up', 'There is no docker/compose.none.yml.'],
  ['docker build -f docker/None --build-arg APP=auth .', 'There is no docker/None.'],
  ['parley exec -T mongodb sh', 'There is no service mongodb.'],
  ['parley restart kong exporter && true', 'There is no service exporter.'],
  ['restart_each kong \\\n  exporter', 'There is no service exporter.'],
  ['parley up --scale realtime=2', 'There is no service realtime.'],
  ['x=$(parley exec -T redis cat)', 'There is no service redis.'],
  ['parley exec history node dist/none.js', 'There is no apps/history/src/none.ts.'],
  ['kparley exec deployment/history -- node dist/none.js', 'There is no apps/history/src/none.ts.'],
  ['kparley rollout restart deployment/none', 'There is no Deployment none in k8s.'],
  ['kparley scale statefulset postgres none --replicas=0', 'There is no StatefulSet none in k8s.'],
  ['kparley exec none-0 -- true', 'There is no Pod none-0 in k8s.'],
  ['kubectl kustomize k8s/overlays/none | cat', 'There is no k8s/overlays/none.'],
])('%s', (line, finding) => {
  expect(check(line)).toEqual([finding]);
});

test('only blocks for a shell are read', () => {
  expect(checkCommands('`npm run none`\n\n```\nnpm run none\n```\n', known)).toEqual([]);
});
