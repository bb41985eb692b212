// `npm run check:tidy`: what no compiler sees. Prints one line for each finding.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { workspace } from '../local/prepare.mjs';

const LINES_MAX = 500;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: workspace,
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(workspace, file)));
const projects = [
  ...new Set(files.map((file) => /^(?:apps|libs|tools)\/[^/]+(?=\/)/.exec(file)?.[0] ?? '')),
].filter((project) => files.includes(`${project}/package.json`));
const findings = [
  ...deadLinks(),
  ...missingReadmes(),
  ...missingAppParts(),
  ...files.filter((file) => /\.(ts|mjs|js)$/.test(file)).flatMap(longFile),
];
for (const finding of findings) console.log(finding);
process.exit(findings.length > 0 ? 1 : 0);

/** Relative links of every Markdown file must lead to a file, and to a heading of it where they name one. */
function deadLinks() {
  return files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = read(file).replace(/```[\s\S]*?```/g, '');
      return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => {
        if (/^[a-z]+:/i.test(target)) return [];
        const [path, heading] = target.split('#');
        const aim = path === '' ? file : normalize(join(dirname(file), path));
        if (!existsSync(join(workspace, aim))) return [`${file}: dead link to ${target}`];
        if (!heading || !aim.endsWith('.md')) return [];
        return headingsOf(aim).includes(heading) ? [] : [`${file}: ${aim} has no heading #${heading}`];
      });
    });
}

/** The anchors that Git hosts make of a file's headings. */
function headingsOf(file) {
  return [...read(file).matchAll(/^#+ +(.+)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  );
}

function missingReadmes() {
  return projects
    .filter((project) => !files.includes(`${project}/README.md`))
    .map((one) => `${one}: no README.md`);
}

/** Every deployable app is routed by the gateway. */
function missingAppParts() {
  const kong = read('docker/kong/kong.yml');
  return projects
    .filter((project) => files.includes(`${project}/src/main.ts`) && project.startsWith('apps/'))
    .map((project) => project.slice('apps/'.length))
    .filter((app) => !kong.includes(`${app}.upstream`))
    .map((app) => `apps/${app}: docker/kong/kong.yml has no upstream for it`);
}

function longFile(file) {
  const lines = read(file).split('\n').length;
  return lines > LINES_MAX ? [`${file}: ${lines} lines; nothing should come near ${LINES_MAX}`] : [];
}

function read(file) {
  const path = join(workspace, file);
  return statSync(path).isFile() ? readFileSync(path, 'utf8') : '';
}
