import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** What an app may import: libraries, never another app. `@parley/testing` is for specs alone (see below). */
const libraries = ['scope:contracts', 'scope:broker', 'scope:service', 'scope:testing'];
const databases = ['typeorm', '@nestjs/typeorm', 'pg', 'mongoose'];
const servers = [
  '@nestjs/*',
  'express',
  'amqplib',
  'ioredis',
  'prom-client',
  'pino',
  'socket.io',
  ...databases,
];

/** Who may import whom, by the tags in each package.json. docs/architecture.md says why. */
const boundaries = [
  {
    sourceTag: 'scope:contracts',
    onlyDependOnLibsWithTags: [],
    allowedExternalImports: ['zod', 'uuid', 'fast-check'],
  },
  {
    sourceTag: 'scope:client',
    onlyDependOnLibsWithTags: ['scope:contracts'],
    allowedExternalImports: ['zod', 'uuid', 'socket.io-client', 'fast-check', 'esbuild'],
  },
  {
    sourceTag: 'scope:broker',
    onlyDependOnLibsWithTags: ['scope:contracts', 'scope:testing'],
    bannedExternalImports: databases,
  },
  { sourceTag: 'scope:service', onlyDependOnLibsWithTags: ['scope:contracts', 'scope:testing'] },
  {
    sourceTag: 'scope:testing',
    onlyDependOnLibsWithTags: ['scope:contracts', 'scope:client', 'scope:local'],
  },
  { sourceTag: 'type:app', onlyDependOnLibsWithTags: libraries },
  { sourceTag: 'scope:realtime', bannedExternalImports: databases },
  { sourceTag: 'scope:presence', bannedExternalImports: databases },
  {
    sourceTag: 'type:e2e',
    onlyDependOnLibsWithTags: ['scope:contracts', 'scope:client', 'scope:testing', 'scope:local'],
    bannedExternalImports: servers,
  },
  {
    sourceTag: 'type:tool',
    onlyDependOnLibsWithTags: [
      'scope:contracts',
      'scope:broker',
      'scope:client',
      'scope:testing',
      'type:tool',
    ],
  },
  { sourceTag: 'scope:local', onlyDependOnLibsWithTags: ['scope:contracts', 'scope:client'] },
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/*.js', '**/*.mjs', '**/*.cjs', '.nx/**', '.local/**'] },
  {
    files: ['{apps,libs,tools}/*/src/**/*.ts'],
    extends: [tseslint.configs.recommended],
    plugins: { '@nx': nx },
    languageOptions: {
      parserOptions: { project: ['tsconfig.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: true,
          banTransitiveDependencies: true,
          allow: [],
          depConstraints: boundaries,
        },
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
    },
  },
  {
    files: ['{apps,libs,tools}/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/{spec,specs,testing,fixtures}/**', 'libs/testing/**', 'apps/e2e/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: [{ name: '@parley/testing', message: 'Test fixtures are for specs.' }] },
      ],
    },
  },
);
