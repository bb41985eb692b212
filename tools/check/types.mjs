// Checks data against TypeScript's types of a format: finds wrong and misspelt fields alike.
import { join } from 'node:path';
import ts from 'typescript';
import { workspace } from '../local/prepare.mjs';

const FILE = join(workspace, '__check.ts');
const OPTIONS = {
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  types: [],
  lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

/**
 * `items` are `{id, from, type, value}`: a value that should be of the type that a module exports. Returns findings as
 * `{id, message}`.
 */
export function typeErrors(items) {
  // One line each, so that a line tells whose finding it is.
  const lines = items.flatMap(({ from, type, value }, index) => [
    `import type { ${type} as T${index} } from '${from}';`,
    `export const value${index}: T${index} = ${JSON.stringify(value)};`,
  ]);
  const source = lines.join('\n');
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => path === FILE || fileExists(path);
  host.readFile = (path) => (path === FILE ? source : readFile(path));
  host.getSourceFile = (path, language, ...rest) =>
    path === FILE ? ts.createSourceFile(path, source, language) : getSourceFile(path, language, ...rest);
  return ts.getPreEmitDiagnostics(ts.createProgram([FILE], OPTIONS, host)).map((diagnostic) => {
    const { line } = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start) ?? { line: 0 };
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ').slice(0, 260);
    return { id: items[Math.floor(line / 2)]?.id ?? '?', message };
  });
}
