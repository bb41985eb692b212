// `npm run docs:api`: writes docs/api/openapi.json and docs/api/asyncapi.json from the contracts.
import { createRequire } from 'node:module';
import { prepare } from '../local/prepare.mjs';

await prepare();
const { writeDocuments } = createRequire(import.meta.url)('./dist/index.js');
for (const path of await writeDocuments()) console.log(`  wrote ${path}`);
