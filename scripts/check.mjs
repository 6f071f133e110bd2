import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { lockFileFaults } from "./lib/lock_file.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { inRoot, runMain, UserError } from "./lib/root.mjs";
import { run, runTool } from "./lib/run.mjs";

const HELP = `usage: node scripts/check.mjs [--fix] [STEP …]

Everything that CI checks besides the tests, with no warning allowed: one line per step, and what a
step says when it fails. With names, only these steps.

  --fix   repair what tools can repair (format, import types, generated code) first
  --help  this text

steps: STEPS
`;

const captured = { capture: true };
const tool = (entry, ...args) => runTool(entry, args, captured);
const tsc = (project, ...args) => {
  const info = `node_modules/.cache/settled/${project.replaceAll(/\W/g, "_")}.tsbuildinfo`;
  return tool(
    "typescript/bin/tsc",
    ...["-p", project, "--noEmit", "--incremental", "--tsBuildInfoFile", info, ...args],
  );
};
const node = (...args) => run(process.execPath, args, captured);

/** What is checked, the slow steps first. */
const STEPS = [
  { name: "types-core", what: "types of the core", check: () => tsc("tsconfig.core.json") },
  { name: "types", what: "types of src", check: () => tsc("tsconfig.json") },
  { name: "types-test", what: "types of test", check: () => tsc("test/tsconfig.json") },
  {
    name: "types-explorer",
    what: "types of the explorer",
    skip: () => !existsSync(inRoot("src/explorer/tsconfig.json")),
    check: () => tsc("src/explorer/tsconfig.json"),
  },
  {
    name: "lint",
    what: "ESLint on src",
    check: () => tool("eslint/bin/eslint.js", "--max-warnings", "0", "src"),
  },
  {
    name: "layers",
    what: "dependency-cruiser on src and test",
    check: () =>
      tool(
        "dependency-cruiser/bin/dependency-cruise.mjs",
        ...["--config", ".dependency-cruiser.cjs", "src", "test"],
      ),
  },
  {
    name: "format",
    what: "Biome",
    fix: () => tool("@biomejs/biome/bin/biome", "check", "--write", "."),
    check: () => tool("@biomejs/biome/bin/biome", "ci", "--colors=off", "--error-on-warnings", "."),
  },
  {
    name: "generated",
    what: "generated code and docs/openapi.json are up to date",
    fix: () => node("scripts/gen_proto.mjs"),
    check: () => node("scripts/gen_proto.mjs", "--check"),
  },
  {
    name: "lock-file",
    what: "the lock file is complete and names no registry",
    check: async () => {
      const faults = lockFileFaults();
      return { code: faults.length === 0 ? 0 : 1, output: faults.join("\n") };
    },
  },
  {
    name: "architecture",
    what: "architecture tests",
    check: () => tool("vitest/vitest.mjs", "run", "test/architecture"),
  },
];

async function main(args) {
  const names = STEPS.map(({ name }) => name);
  if (args.includes("--help")) {
    return void process.stdout.write(HELP.replace("STEPS", names.join(" ")));
  }
  const unknown = args.find((arg) => arg !== "--fix" && !names.includes(arg));
  if (unknown !== undefined) {
    throw new UserError(`unknown argument ${unknown}; steps: ${names.join(" ")}`, 2);
  }
  requireNode();
  await installIfNeeded((line) => process.stderr.write(`${line}\n`));
  const named = args.filter((arg) => arg !== "--fix");
  const steps = STEPS.filter(({ name }) => named.length === 0 || named.includes(name));
  if (args.includes("--fix")) for (const { fix } of steps) await fix?.();
  const started = Date.now();
  const failed = await runSteps(steps.filter(({ skip }) => skip?.() !== true));
  const seconds = since(started);
  if (failed.length === 0)
    process.stdout.write(`all ${steps.length} checks passed in ${seconds}\n`);
  else process.stdout.write(`failed: ${failed.join(", ")}\n`);
  return failed.length === 0 ? 0 : 1;
}

/** Runs steps side by side, as many as there are cores, and tells each when it has ended. */
async function runSteps(steps) {
  const waiting = [...steps];
  const failed = [];
  const worker = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const started = Date.now();
      const { code, output } = await step.check();
      const mark = code === 0 ? "ok  " : "FAIL";
      const line = `${mark}  ${step.name.padEnd(14)} ${since(started).padStart(7)}  ${step.what}\n`;
      process.stdout.write(code === 0 ? line : `${line}${output.trimEnd()}\n`);
      if (code !== 0) failed.push(step.name);
    }
  };
  const width = Math.min(4, Math.max(1, cpus().length));
  await Promise.all(Array.from({ length: width }, worker));
  return failed;
}

function since(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}

runMain(main);
