import { readFileSync } from "node:fs";

const HELP = `usage: node scripts/lib/count_tests.mjs REPORT …

Adds up reports of vitest's json reporter and prints one line: N passed, N failed, N skipped
Before it, each failed test once more with its error, so that the end of a long log tells what failed.
A report that is missing, unreadable or without a single test counts as a failure.
`;

const files = process.argv.slice(2);
if (files.length === 0 || files.includes("--help")) process.stdout.write(HELP);
else {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const file of files) {
    const report = read(file);
    sum.passed += report.numPassedTests;
    // A file that cannot be loaded has no tests that could fail.
    sum.failed += report.numFailedTests + brokenFiles(report);
    sum.skipped += report.numPendingTests + report.numTodoTests;
    process.stdout.write(failures(report));
  }
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
  process.exitCode = sum.failed === 0 ? 0 : 1;
}

function read(file) {
  const none = { numPassedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    if (report.numTotalTests > 0) return report;
  } catch (error) {
    process.stderr.write(`${file}: ${error.message}\n`);
  }
  return { ...none, numFailedTests: 1 };
}

function brokenFiles({ testResults }) {
  return testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
}

function failures({ testResults }) {
  return testResults.flatMap(failuresOfFile).join("");
}

function failuresOfFile({ name, message, assertionResults }) {
  const failed = assertionResults.filter(({ status }) => status === "failed");
  const broken = assertionResults.length === 0 && message ? [`FAILED ${name}\n${message}\n`] : [];
  return broken.concat(
    failed.map(
      ({ fullName, failureMessages }) =>
        `FAILED ${name}: ${fullName}\n${failureMessages.join("\n")}\n`,
    ),
  );
}
