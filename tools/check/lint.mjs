// `npm run check:lint`: ESLint over the whole workspace. The rule of module boundaries reads Nx's cached graph and only
// warns when there is none, so the graph is made first and a skipped rule is a failure.
import { createProjectGraphAsync } from '@nx/devkit';
import { ESLint } from 'eslint';

await createProjectGraphAsync({ exitOnError: true });
const said = [];
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text, ...rest) => {
  said.push(String(text));
  return write(text, ...rest);
};
const eslint = new ESLint();
const results = await eslint.lintFiles(['.']);
write(await (await eslint.loadFormatter('stylish')).format(results));
const problems = results.reduce((sum, { errorCount, warningCount }) => sum + errorCount + warningCount, 0);
const skipped = said.some((text) => text.includes('The rule will be skipped'));
if (skipped) write('Module boundaries were not checked: Nx had no project graph.\n');
process.exit(problems > 0 || skipped ? 1 : 0);
