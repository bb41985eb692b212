// `npm run test:compose`, `npm run test:kubernetes`: builds what changed, then runs src/main.ts with the arguments.
import { become, prepare } from '../local/prepare.mjs';

await prepare();
await become('tools/deployment/dist/main.js', process.argv.slice(2));
