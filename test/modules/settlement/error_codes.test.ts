import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { registeredErrors } from "../../../src/lib/errors.ts";
import * as errors from "../../../src/modules/settlement/errors.ts";

const MODULES = new URL("../../../src/modules/settlement/", import.meta.url);

/** Codes of the deployed module that nothing here raises, so that clients find them explained. */
const KEPT: readonly (readonly [name: string, constant: string])[] = [
  ["settlement/7", "ErrMsgReward"],
  ["settlement/1508", "ErrSettlementExists"],
];

test.each(KEPT)(
  "%s is kept for clients of the deployed module: nothing raises it",
  (name, constant) => {
    const kind = (errors as Record<string, { codespace: string; code: number }>)[constant];
    expect(`${kind?.codespace}/${kind?.code}`).toBe(name);
    expect(filesRaising(constant)).toEqual([]);
  },
);

/** What the README's advice may begin with: it tells what to do, and then why. */
const VERBS = [
  ...["activate", "check", "choose", "correct", "create", "fill", "hold", "leave", "lower", "name"],
  ...["release", "report", "resolve", "settle", "sign", "use", "void", "wait", "write"],
];

test("every other code of the module is raised somewhere", () => {
  const kept = KEPT.map(([, constant]) => constant);
  const silent = Object.keys(errors).filter((name) => filesRaising(name).length === 0);
  expect(silent.filter((name) => !kept.includes(name))).toEqual([]);
});

test("the README's advice on every code begins with what to do", () => {
  const readme = readFileSync(new URL("README.md", MODULES), "utf8");
  const rows = [...readme.matchAll(/^\| ([0-9]+) \| ([^|]+) \| ([^|]+) \|$/gm)];
  const told = new Map(rows.map(([, code, text, what]) => [Number(code), { text, what }]));
  const wrong = registeredErrors()
    .filter(({ codespace }) => codespace === "settlement")
    .filter(({ code, text }) => {
      const row = told.get(code);
      const [first = "", ...rest] = row?.what?.trim().split(" ") ?? [];
      return row?.text !== text || !VERBS.includes(first) || rest.length === 0;
    });
  expect(wrong.map(({ code }) => `${code}: ${told.get(code)?.what}`)).toEqual([]);
});

function filesRaising(constant: string): string[] {
  return readdirSync(MODULES)
    .filter((file) => file.endsWith(".ts") && file !== "errors.ts")
    .filter((file) => {
      return new RegExp(`\\b${constant}\\b`).test(readFileSync(new URL(file, MODULES), "utf8"));
    });
}
