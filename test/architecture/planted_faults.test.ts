import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inRoot } from "./repository.ts";

// Faults in a tree of their own, under the project's own configurations: each must be reported, and
// the files without a fault must not be.

interface Plant {
  readonly path: string;
  readonly text: string;
  /** What the tool must say of the file; undefined: nothing. */
  readonly says?: RegExp;
}

const KEEPER = "export const keeper = 1n;\n";

const LINT: readonly Plant[] = [
  { path: "src/modules/a/clean.ts", text: "export const two = (n: bigint): bigint => n + n;\n" },
  {
    path: "src/modules/a/clock.ts",
    text: "export const now = (): number => Date.now();\n",
    says: /Date.*Not in the core/,
  },
  {
    path: "src/lib/random.ts",
    text: "export const draw = (): number => Math.random();\n",
    says: /Math.*Not in the core/,
  },
  {
    path: "src/baseapp/divide.ts",
    text: "export const half = (n: bigint): bigint => n / 2n;\n",
    says: /named divisions/,
  },
  {
    path: "src/modules/a/wait.ts",
    text: "export async function wait(p: Promise<void>): Promise<void> {\n  await p;\n}\n",
    says: /only reader files await/,
  },
  {
    path: "src/modules/a/query_server.ts",
    text: "export async function read(p: Promise<bigint>): Promise<bigint> {\n  return await p;\n}\n",
  },
  {
    path: "src/codec/map.ts",
    text: "export const seen = new Map<string, bigint>();\n",
    says: /ordered\.ts or key_map\.ts/,
  },
  { path: "src/store/map.ts", text: "export const seen = new Map<string, bigint>();\n" },
  {
    path: "src/types/float.ts",
    text: "export const rate = 0.05;\n",
    says: /No floating point/,
  },
  {
    path: "src/app/text.ts",
    text: "export const text = (v: unknown): string => JSON.stringify(v);\n",
    says: /canonical_json/,
  },
  {
    path: "src/modules/a/sort.ts",
    text: "export const sorted = (list: string[]): string[] => list.sort();\n",
    says: /default order is UTF-16/,
  },
  {
    path: "src/modules/a/throws.ts",
    text: 'export function fail(): never {\n  throw new Error("no");\n}\n',
    says: /registered error/,
  },
  {
    path: "src/lib/files.ts",
    text: 'import { readFileSync } from "node:fs";\nexport const file = readFileSync;\n',
    says: /No Node API in the core/,
  },
  {
    path: "src/node/loose.ts",
    text: "export function loose(p: Promise<void>): void {\n  p;\n}\n",
    says: /no-floating-promises/,
  },
  { path: "src/node/host.ts", text: "export const now = (): number => Date.now() / 1000;\n" },
  {
    path: "src/node/long.ts",
    text: `export const list = [\n${"  1,\n".repeat(501)}];\n`,
    says: /max-lines/,
  },
];

const LAYERS: readonly Plant[] = [
  { path: "src/modules/b/keeper.ts", text: KEEPER },
  {
    path: "src/modules/a/sibling.ts",
    text: 'import { keeper } from "../b/keeper.ts";\nexport const mine = keeper;\n',
    says: /modules-meet-in-expected-keepers/,
  },
  {
    path: "src/modules/a/expected_keepers.ts",
    text: 'import type { keeper } from "../b/keeper.ts";\nexport type Keeper = typeof keeper;\n',
  },
  {
    path: "src/lib/upwards.ts",
    text: 'import { keeper } from "../modules/b/keeper.ts";\nexport const mine = keeper;\n',
    says: /layer-lib/,
  },
  {
    path: "src/baseapp/npm.ts",
    text: 'import { WebSocket } from "ws";\nexport const socket = WebSocket;\n',
    says: /npm-core/,
  },
  {
    path: "src/modules/a/export.ts",
    text: "export const reader = 1n;\n",
  },
  {
    path: "src/modules/a/machine.ts",
    text: 'import { reader } from "./export.ts";\nexport const mine = reader;\n',
    says: /machine-imports-no-reader/,
  },
  {
    path: "src/types/circle_a.ts",
    text: 'import type { B } from "./circle_b.ts";\nexport type A = B | undefined;\n',
    says: /no-circular/,
  },
  {
    path: "src/types/circle_b.ts",
    text: 'import type { A } from "./circle_a.ts";\nexport type B = A | undefined;\n',
  },
  {
    path: "src/elsewhere/file.ts",
    text: 'import { readFileSync } from "node:fs";\nexport const file = readFileSync;\n',
    says: /unknown-folder/,
  },
  { path: "src/lib/orphan.ts", text: KEEPER, says: /no-orphans/ },
];

let tree: string;

function plant(folder: string, plants: readonly Plant[]): string {
  const root = join(tree, folder);
  for (const name of ["eslint.config.mjs", ".dependency-cruiser.cjs", "tsconfig.json"]) {
    cpSync(inRoot(name), join(root, name));
  }
  cpSync(inRoot("package.json"), join(root, "package.json"));
  symlinkSync(inRoot("node_modules"), join(root, "node_modules"));
  for (const { path, text } of plants) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** Runs a tool of node_modules in a folder; its exit code is about the faults that it finds. */
async function tool(cwd: string, entry: string, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const command = [inRoot("node_modules", entry), ...args];
    const options = { cwd, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 1 << 24 };
    execFile(process.execPath, command, options, (_error, stdout) => resolve(stdout));
  });
}

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "settled-faults-"));
});
afterAll(() => {
  rmSync(tree, { recursive: true, force: true });
});

test("ESLint reports every planted fault and nothing else", async () => {
  const root = plant("lint", LINT);
  const output = await tool(root, "eslint/bin/eslint.js", "--format", "json", "src");
  const results = JSON.parse(output) as {
    filePath: string;
    messages: { ruleId: string | null; message: string }[];
  }[];
  const said = new Map(
    results.map(({ filePath, messages }) => [
      filePath.slice(filePath.lastIndexOf("/src/") + 1),
      messages.map(({ ruleId, message }) => `${ruleId}: ${message}`).join("\n"),
    ]),
  );
  expect(wrong(LINT, said)).toEqual([]);
});

test("dependency-cruiser reports every planted edge and nothing else", async () => {
  const root = plant("layers", LAYERS);
  const entry = "dependency-cruiser/bin/dependency-cruise.mjs";
  const args = ["--config", ".dependency-cruiser.cjs", "--output-type", "json", "src"];
  const { summary } = JSON.parse(await tool(root, entry, ...args)) as {
    summary: { violations: { from: string; rule: { name: string } }[] };
  };
  const said = new Map<string, string>();
  for (const { from, rule } of summary.violations) {
    // Nobody imports the planted files: that is no fault of theirs here.
    if (rule.name === "no-unused-file") continue;
    said.set(from, `${said.get(from) ?? ""}${rule.name}\n`);
  }
  expect(wrong(LAYERS, said)).toEqual([]);
});

/** Plants that the tool was silent about, and files that it complained about without reason. */
function wrong(plants: readonly Plant[], said: ReadonlyMap<string, string>): string[] {
  return plants.flatMap(({ path, says }) => {
    const words = said.get(path) ?? "";
    if (says === undefined) return words === "" ? [] : [`${path} is fine, but: ${words}`];
    return says.test(words) ? [] : [`${path}: expected ${says}, found: ${words || "nothing"}`];
  });
}
