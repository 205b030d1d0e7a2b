/** Mocha's reporter for people: says why a test failed at once, and writes the counts and what failed to `--reporter-option file=PATH`. */
const { writeFileSync } = require("node:fs");
const { reporters, Runner } = require("mocha");

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { file } = options.reporterOptions ?? options.reporterOption ?? {};
    const failed = [];
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, { stack, message }) => {
      console.log(stack ?? message);
      failed.push(`${test.titlePath().join(" > ")}: ${message}`.replace(/\s+/g, " ").slice(0, 500));
    });
    runner.on(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = runner.stats;
      if (file) writeFileSync(file, JSON.stringify({ stats: { passes, failures, pending }, failed }));
    });
  }
};
