// How one program runs another in its place, so that whoever ends the first one ends both: signals are passed on and
// the end is waited for; should the first be killed, or npm before it, the second gets SIGTERM.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const endsWithParent = fileURLToPath(new URL('./ends-with-parent.cjs', import.meta.url));

// npm does not tell its scripts of a SIGHUP, and cannot tell them that it was killed.
if (process.env.npm_lifecycle_event) await import('./ends-with-parent.cjs');

/**
 * Runs a command and resolves to how it ended, after `atEnd`: `{status, stdout, stderr, error, asked}`. Output is kept only
 * for a `quiet` one. A signal that comes meanwhile goes to the command and does not end this process: `asked` is the
 * status with which it has to end itself then.
 */
export async function launch(command, args, { quiet = false, atEnd = () => undefined, ...options } = {}) {
  const child = spawn(command, args, { ...options, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
  const output = { stdout: '', stderr: '' };
  for (const name of Object.keys(output))
    child[name]?.setEncoding('utf8').on('data', (text) => (output[name] += text));
  let asked;
  const pass = (signal) => {
    asked = statusOf(signal);
    // Ctrl-C has reached the child already, as a member of the terminal's foreground group; twice does no harm.
    child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  const end = await new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: 1, error }));
    child.once('close', (code, signal) => resolve({ status: code ?? statusOf(signal) }));
  });
  await atEnd();
  for (const signal of SIGNALS) process.off(signal, pass);
  return { ...end, ...output, asked };
}

/** The same for a Node program, which is also told when this process is killed. */
export function launchNode(args, options) {
  return launch(process.execPath, [`--require=${endsWithParent}`, ...args], options);
}

/** As shells give it. */
function statusOf(signal) {
  return 128 + constants.signals[signal];
}
