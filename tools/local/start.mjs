// `npm start`
import { join } from 'node:path';
import { become, prepare, trustOwnAuthority, workspace } from './prepare.mjs';

await prepare();
const runDir = process.env.PARLEY_RUN_DIR ?? join(workspace, '.local');
const args = process.argv.slice(2);
const trust = await trustOwnAuthority(args, runDir);
// The variable is also the mark by which a later start knows this process (see src/process/process-table.ts).
await become('tools/local/dist/start/main.js', args, { PARLEY_RUN_DIR: runDir, ...trust });
