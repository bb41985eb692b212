// node k8s/generate.mjs: writes what docker/ holds in the form that Kubernetes takes: docker/prometheus/rules as a
// PrometheusRule for the operator, docker/mongodb as a ConfigMap. With `--check` it only says whether the files are what
// it would write.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

const read = (folder) =>
  readdirSync(folder)
    .sort()
    .map((file) => [file, readFileSync(new URL(file, folder), 'utf8')]);

const rules = read(new URL('../docker/prometheus/rules/', import.meta.url));
const scripts = read(new URL('../docker/mongodb/', import.meta.url));

generate('base/monitoring/rules.yaml', 'docker/prometheus/rules', {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'parley' },
  spec: { groups: rules.flatMap(([, text]) => parse(text).groups) },
});
generate('overlays/local/mongodb-scripts.yaml', 'docker/mongodb', {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'mongodb-scripts' },
  data: Object.fromEntries(scripts),
});

function generate(path, source, resource) {
  const target = new URL(path, import.meta.url);
  const text = `# Written by k8s/generate.mjs from ${source}.\n${stringify(resource, { lineWidth: 100 })}`;
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (JSON.stringify(parse(readFileSync(target, 'utf8'))) !== JSON.stringify(resource)) {
    console.log(`k8s/${path} is old: node k8s/generate.mjs`);
    process.exitCode = 1;
  }
}
