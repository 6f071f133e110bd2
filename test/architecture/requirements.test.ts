import { expect, test } from "vitest";
import { registeredErrors } from "../../src/lib/errors.ts";
import { inRoot, moduleNames } from "./repository.ts";
import { parseTest, testFiles } from "./test_titles.ts";

// Registration happens on import: the app imports every module.
await import(inRoot("src/app/app.ts"));

const files = testFiles();
const titles = files.flatMap(({ titles: own }) => own);

/** Ids that no title of a test names. "R-003-1" is not in "R-003-12". */
function unnamed(ids: readonly string[], given: readonly string[] = titles): string[] {
  return ids.filter((id) => {
    const whole = new RegExp(`(^|[^A-Za-z0-9-])${id}(?![0-9])`);
    return !given.some((title) => whole.test(title));
  });
}

function range(from: number, to: number, name: (n: number) => string): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => name(from + index));
}

test("every row of the ledger of usage settlement is named by a test", () => {
  expect(unnamed(range(1, 59, (n) => `R-003-${String(n).padStart(2, "0")}`))).toEqual([]);
});

test("every rule of money from 10 on is named by a test", () => {
  expect(unnamed(range(10, 38, (n) => `RULES ${n}`))).toEqual([]);
});

test("every defect of the deployed module is named by a test", () => {
  expect(unnamed(range(1, 26, (n) => `D-${n}`))).toEqual([]);
});

test("every invariant is named by a test that makes it fire in a block, and by one over all", () => {
  const ids = [5, 8, 9, 10, 11, 12, 13, 14, 18, 26].map((n) => `I-${String(n).padStart(2, "0")}`);
  for (const form of ["incrementally", "in full"]) {
    expect(unnamed(ids.map((id) => `${id} fires ${form}`))).toEqual([]);
  }
  // Of an import and its export: it is neither.
  expect(unnamed(["I-30 fires"])).toEqual([]);
});

test("every error code of a module is asked for by a test", () => {
  const asked = new Set(files.flatMap(({ codes }) => [...codes]));
  const missing = registeredErrors()
    .filter(({ codespace }) => moduleNames().includes(codespace))
    .map(({ codespace, code, text }) => ({ name: `${codespace}/${code}`, text }))
    .filter(({ name }) => !asked.has(name));
  expect(missing.map(({ name, text }) => `${name} (${text})`)).toEqual([]);
});

test("the check of titles finds what is named, and only that", () => {
  const { titles: own, codes } = parseTest(
    "planted.test.ts",
    `// R-003-59 is no title
    test.each([["D-1 a row", 1503], ["another", 3]])("R-003-12 %s", () => {});
    describe(\`RULES 1\${0}\`, () => it("I-05 fires: RULES 10", () => refused(message, 3)));
    const other = call("R-003-58", 1512, "sdk/5", "a/b/3", [1504, 1505]);`,
  );
  const ids = ["D-1", "R-003-1", "R-003-12", "RULES 10", "RULES 1", "R-003-58", "R-003-59"];
  expect(unnamed(ids, own)).toEqual(["R-003-1", "R-003-58", "R-003-59"]);
  expect([...codes].sort()).toEqual(["sdk/5", "settlement/1503", "settlement/3"]);
});
