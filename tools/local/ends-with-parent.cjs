// Loaded before a program (`node --require`): once the process that started this one is gone, however it ended, this one
// gets SIGTERM, as if somebody had asked it to end. What it forks loads the same, the workers of jest for example.
const POLL_MS = 500;

const parent = process.ppid;
const timer = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(timer);
  process.kill(process.pid, 'SIGTERM');
}, POLL_MS);
timer.unref();
