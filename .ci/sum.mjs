// `sum.mjs FOLDER TESTS MONITORING CHECKS`: adds up what the tests and the checks wrote to FOLDER, and prints the names of
// suites that were skipped and the last line of .ci/run. The others are exit codes, MONITORING may be `none`: the trial of the monitoring counts as
// one check, and a part that failed without counting a failure (a suite that could not be loaded, a build that broke)
// counts as one. So does the whole MongoDB side, which elsewhere may be skipped, but not here.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder, testsCode, monitoringCode, checksCode] = process.argv.slice(2);
const tests = read('tests.json');
const checks = read('checks.json');
const parts = [
  { passed: tests?.numPassedTests, failed: tests?.numFailedTests, code: testsCode },
  {
    passed: monitoringCode === '0' ? 1 : 0,
    failed: 0,
    code: monitoringCode === 'none' ? '0' : monitoringCode,
  },
  { passed: checks?.passed, failed: checks?.failed, code: checksCode },
];
let passed = 0;
let failed = 0;
for (const part of parts) {
  passed += part.passed ?? 0;
  failed += part.failed || (part.code === '0' ? 0 : 1);
}
const skipped = (tests?.testResults ?? []).flatMap(({ assertionResults }) =>
  assertionResults
    .filter(({ status }) => status === 'pending')
    .map(({ ancestorTitles, title }) => ancestorTitles[0] ?? title),
);
for (const suite of new Set(skipped)) console.log(`NOT TESTED: ${suite}`);
if (skipped.length > 0) {
  const built = fileURLToPath(new URL('../tools/local/dist/index.js', import.meta.url));
  const { NO_MONGO } = createRequire(import.meta.url)(built);
  if (skipped.some((suite) => suite?.includes(NO_MONGO.message))) {
    failed++;
    console.log(`FAILED: nothing was tested on MongoDB, because ${NO_MONGO.message}\n${NO_MONGO.advice}`);
  }
}
console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

function read(name) {
  const file = join(folder, name);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}
