// `npm start`
import { realpathSync } from 'node:fs';
import { become, prepare, runDir } from './prepare.mjs';

prepare();
// The variable is the mark by which a later start knows this process (see src/process/process-table.ts).
become('tools/local/dist/start/main.js', process.argv.slice(2), { PARLEY_RUN_DIR: realpathSync(runDir) });
