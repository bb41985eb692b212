// The Dockerfile as its instructions say it, for the checks that need no Docker engine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { workspace } from '../local/prepare.mjs';

export const DOCKERFILE = 'docker/Dockerfile';

export function readDockerfile() {
  return readFileSync(join(workspace, DOCKERFILE), 'utf8');
}

/**
 * The stages in order: `{name, base, steps: [{keyword, line, args, flags}]}`. `args` are the words after the flags of
 * COPY, the whole command of RUN, and the text of everything else; ARGs before the first FROM are stage `''`.
 */
export function stagesOf(text) {
  const stages = [{ name: '', base: undefined, steps: [] }];
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const keyword = instruction.getKeyword();
    const line = instruction.getRange().start.line + 1;
    if (keyword === 'FROM') {
      const base = instruction.getImage();
      stages.push({ name: instruction.getBuildStage() ?? String(stages.length - 1), base, steps: [] });
      continue;
    }
    const flags = Object.fromEntries(
      (instruction.getFlags?.() ?? []).map((flag) => [flag.getName(), flag.getValue()]),
    );
    const raw = (instruction.getRawArgumentsContent() ?? '').replace(/\\\n/g, ' ');
    const content = raw.replace(/^(\s*--[a-z]+=\S+)+\s*/, '').trim();
    stages.at(-1).steps.push({ keyword, line, flags, args: content });
  }
  return stages;
}

/** `${NAME}` and `$NAME` as Docker expands them outside of RUN. */
export function expand(text, values) {
  return text.replace(/\$\{(\w+)\}|\$(\w+)/g, (_, braced, bare) => values[braced ?? bare] ?? '');
}
