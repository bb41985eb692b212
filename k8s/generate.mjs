// node k8s/generate.mjs: writes docker/prometheus/rules as a PrometheusRule for the operator. With `--check` it only says
// whether the file is what it would write.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

const rules = new URL('../docker/prometheus/rules/', import.meta.url);
const target = new URL('base/monitoring/rules.yaml', import.meta.url);
const groups = readdirSync(rules)
  .sort()
  .flatMap((file) => parse(readFileSync(new URL(file, rules), 'utf8')).groups);
const resource = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'parley' },
  spec: { groups },
};
const text = `# Written by k8s/generate.mjs from docker/prometheus/rules.\n${stringify(resource, { lineWidth: 100 })}`;
if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (JSON.stringify(parse(readFileSync(target, 'utf8'))) !== JSON.stringify(resource)) {
  console.log('k8s/base/monitoring/rules.yaml is old: node k8s/generate.mjs');
  process.exitCode = 1;
}
