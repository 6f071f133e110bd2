import { describe, expect, test } from "vitest";
import { registeredErrors } from "../../src/lib/errors.ts";
import { inRoot, moduleNames, read } from "./repository.ts";

// Registration happens on import: the app imports every module.
await import(inRoot("src/app/app.ts"));

/** "0x03 0a" of a key builder's comment, as module and kind. */
const KEY = /0x([0-9a-f]{2}) ([0-9a-f]{2})/g;

/** Keys that a text names, with those inside of ranges written as `0xc3 01` … `0xc3 0c`. */
function namedKeys(text: string): Set<string> {
  const keys = new Set([...text.matchAll(KEY)].map(([key]) => key));
  for (const [, module, from, to] of text.matchAll(
    /`0x([0-9a-f]{2}) ([0-9a-f]{2})` … `0x\1 ([0-9a-f]{2})`/g,
  )) {
    for (
      let kind = Number.parseInt(from ?? "", 16);
      kind <= Number.parseInt(to ?? "", 16);
      kind += 1
    )
      keys.add(`0x${module} ${kind.toString(16).padStart(2, "0")}`);
  }
  return keys;
}

/** Codes in the first cells of table rows: `bank/2`, 1500, and ranges such as 1 to 7. */
function namedCodes(text: string, module: string): Set<number> {
  const codes = new Set<number>();
  for (const [, cell = ""] of text.matchAll(/^\| ([^|]+) \|/gm)) {
    const bare = cell.replaceAll("`", "").replaceAll(`${module}/`, "");
    for (const part of bare.split(", ")) {
      const [, from, to] = /^([0-9]+)(?:(?: to |–|-| … )([0-9]+))?$/.exec(part.trim()) ?? [];
      if (from === undefined) continue;
      for (let code = Number(from); code <= Number(to ?? from); code += 1) codes.add(code);
    }
  }
  return codes;
}

describe.each(moduleNames())("README of module %s", (module) => {
  const readme = () => read(`src/modules/${module}/README.md`);

  test("lists every registered error", () => {
    const errors = /\n## Errors\n([\s\S]*?)(\n## |$)/.exec(readme())?.[1] ?? "";
    const named = namedCodes(errors, module);
    const missing = registeredErrors()
      .filter(({ codespace, code }) => codespace === module && !named.has(code))
      .map(({ code, text }) => `${module}/${code} ("${text}") is not under "## Errors"`);
    expect(missing).toEqual([]);
  });

  test("lists every state key", () => {
    const named = namedKeys(readme());
    const used = new Set(
      [...read(`src/modules/${module}/keys.ts`).matchAll(KEY)].map(([key]) => key),
    );
    expect(used.size).toBeGreaterThan(0);
    const missing = [...used].filter((key) => !named.has(key));
    expect(missing.map((key) => `${key} is not in the README's state`)).toEqual([]);
  });

  test("every key of the code is explained where it is built", () => {
    const text = read(`src/modules/${module}/keys.ts`);
    const built = [...text.matchAll(/^export const (\w+) = prefix\(/gm)].map(([, name]) => name);
    const explained = [...text.matchAll(/^\/\*\* 0x.*\*\/\nexport const (\w+) = prefix\(/gm)].map(
      ([, name]) => name,
    );
    expect(built).toEqual(explained);
  });
});
