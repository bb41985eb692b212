// `npm run record:envelopes`: writes down what goes over the broker. Arguments go to src/record/main.ts.
import { become, prepare } from '../local/prepare.mjs';

await prepare();
await become('tools/faults/dist/record/main.js', process.argv.slice(2));
