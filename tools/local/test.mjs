// `npm test`: everything in every project, on servers of its own. Arguments go to jest.
import { become, prepare } from './prepare.mjs';

prepare();
become('node_modules/jest/bin/jest.js', ['--maxWorkers=2', ...process.argv.slice(2)]);
