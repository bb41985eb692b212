// `npm run test:compose`, `npm run test:kubernetes`: builds what changed, then runs src/main.ts with the arguments.
import { become, prepare, trustDockerAuthority } from '../local/prepare.mjs';

await prepare();
const args = process.argv.slice(2);
await become('tools/deployment/dist/main.js', args, await trustDockerAuthority(args));
