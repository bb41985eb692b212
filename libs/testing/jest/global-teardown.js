// Runs once per jest run, at its end: stops the servers of this run, if any were started, and removes its directory.
// Should jest be killed before, their keeper notices by itself.
const { endRun } = require('./run-directory.js');

module.exports = () => endRun(process.env.PARLEY_TEST_DIR);
