const { readFileSync } = require('node:fs');

const swc = JSON.parse(readFileSync(`${__dirname}/.swcrc`, 'utf8'));
// npm packages that ship ES modules only, or import at run time: jest's module system needs them as CommonJS.
const esm = [
  'jose/',
  'uuid/',
  '@opentelemetry/otlp-exporter-base/',
  // Else the driver sends MongoDB no name of its own, and is refused: only FerretDB lets that pass.
  'mongodb/lib/runtime_adapters',
];

module.exports = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@parley/source', 'node', 'require', 'default'] },
  globalSetup: `${__dirname}/libs/testing/jest/global-setup.js`,
  globalTeardown: `${__dirname}/libs/testing/jest/global-teardown.js`,
  setupFilesAfterEnv: [`${__dirname}/libs/testing/jest/setup.js`],
  testMatch: ['<rootDir>/src/**/*.spec.ts'],
  transform: { '^.+\\.(ts|m?js)$': [require.resolve('@swc/jest'), { ...swc, swcrc: false }] },
  transformIgnorePatterns: [`/node_modules/(?!${esm.join('|')})`],
};
