import { expect, test } from "vitest";
import { lockFileFaults } from "../../scripts/lib/lock_file.mjs";
import { projectFiles, read } from "./repository.ts";

const TEXT =
  /\.(ts|mjs|cjs|js|json|md|proto|yaml|yml|html|css|sh|csv|ndjson|svg)$|^[^.]*$|^\.[^/]*$/;
/** Folders of the machine that somebody works on, and of its users. */
const MACHINE_PATHS = ["work", "home", "Users", "root"].map((name) => `/${name}/`).join("|");
const REGISTRIES = [
  "registry\\.npmjs\\.org",
  "registry\\.yarnpkg\\.com",
  "npm\\.pkg\\.github\\.com",
];

/** Lines of the project's own files that match, as "path:line: text". */
function find(pattern: RegExp): string[] {
  return projectFiles()
    .filter((path) => TEXT.test(path))
    .flatMap((path) =>
      read(path)
        .split("\n")
        .flatMap((line, index) =>
          pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
        ),
    );
}

test("no file names a path of a machine", () => {
  const pattern = new RegExp(`(^|[\\s"'\`(=:])(${MACHINE_PATHS})[A-Za-z0-9_.-]`);
  expect(find(pattern)).toEqual([]);
});

test("no file names the host of a package registry", () => {
  expect(find(new RegExp(REGISTRIES.join("|")))).toEqual([]);
});

test("the lock file names no registry, and a planted one is found", () => {
  expect(lockFileFaults()).toEqual([]);
  const lock = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, Record<string, unknown>>;
  };
  const planted = { ...lock, packages: { ...lock.packages } };
  planted.packages["node_modules/planted"] = { version: "1.0.0", resolved: "https://example.org/" };
  delete planted.packages["node_modules/@biomejs/cli-darwin-x64"];
  expect(lockFileFaults(JSON.stringify(planted)).sort()).toEqual([
    "package-lock.json: node_modules/@biomejs/biome wants @biomejs/cli-darwin-x64, which is not listed",
    "package-lock.json: node_modules/planted has no integrity",
    "package-lock.json: node_modules/planted names its registry (resolved)",
  ]);
});

test("dependencies are pinned to exact versions", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
    string,
    Record<string, string>
  >;
  const loose = Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^[0-9]+\.[0-9]+\.[0-9]+$/.test(version))
    .map(([name, version]) => `${name} ${version}`);
  expect(loose).toEqual([]);
});

test("nothing is focused, and a skipped test says why", () => {
  const tests = projectFiles().filter((path) => path.endsWith(".test.ts"));
  // `skipIf` has its condition beside it; a bare skip has nothing.
  const bare = new RegExp(`\\b(test|it|describe)\\.(${["only", "skip", "todo"].join("|")})\\(`);
  const found = tests.filter((path) => bare.test(read(path)));
  expect(found).toEqual([]);
});

test("a lint rule that is switched off says why", () => {
  const off = new RegExp(`${"eslint"}-disable(?!.* -- .)`);
  expect(find(off).filter((line) => !line.startsWith("src/gen/"))).toEqual([]);
});
