// `npm start`
import { join } from 'node:path';
import { become, prepare, workspace } from './prepare.mjs';

prepare();
const runDir = process.env.PARLEY_RUN_DIR ?? join(workspace, '.local');
// The variable is also the mark by which a later start knows this process (see src/process/process-table.ts).
become('tools/local/dist/start/main.js', process.argv.slice(2), { PARLEY_RUN_DIR: runDir });
