// `npm run new:service -- NAME`: runs the generator, which must be built first, and links the new package.
import { execFileSync } from 'node:child_process';
import { prepare, workspace } from '../local/prepare.mjs';

const [generator, ...args] = process.argv.slice(2);
await prepare();
const inherit = { cwd: workspace, stdio: 'inherit' };
execFileSync('npx', ['nx', 'generate', `@parley/tool-generators:${generator}`, ...args], inherit);
execFileSync('npm', ['install', '--no-audit', '--no-fund'], inherit);
