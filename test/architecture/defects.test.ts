import { readdirSync } from "node:fs";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { inRoot, moduleNames, projectFiles, read } from "./repository.ts";

// Defects of the deployed module that a look at the code rules out. Those that a run rules out are
// in test/modules/settlement.

/** Messages of the deployed module's wire format that no state has: conversions to other money. */
const DEPLOYED_FLOATS = ["FiatPayoutPreference", "FiatConversionRecord"];

describe("D-22 no floating point in state or amounts", () => {
  test("D-22 no message has a double or a float, but for two of the deployed wire format", () => {
    const found = projectFiles()
      .filter((path) => path.startsWith("proto/") && path.endsWith(".proto"))
      .flatMap((path) => floatingMessages(read(path)).map((name) => `${path}: ${name}`));
    const deployed = "proto/virtengine/settlement/v1/query.proto";
    expect(found).toEqual(DEPLOYED_FLOATS.map((name) => `${deployed}: ${name}`));
  });

  test("D-22 no state record holds a message that has one", () => {
    const states = projectFiles().filter((path) => path.endsWith("state.proto"));
    expect(states.length).toBeGreaterThanOrEqual(moduleNames().length);
    const naming = states.filter((path) => /\bFiat/.test(read(path)));
    expect(naming).toEqual([]);
  });

  test("D-22 no file reads an amount as a floating point number, or writes one so", () => {
    const found = sources().flatMap(({ path, source }) =>
      nodesOf(source)
        .filter((node) => isFloating(node))
        .map((node) => `${path}: ${node.getText(source)}`),
    );
    expect(found).toEqual([]);
  });

  test("the checks find what is planted", () => {
    const proto = "message A {\n  string a = 1;\n}\nmessage B {\n  repeated double b = 1;\n}\n";
    expect(floatingMessages(proto)).toEqual(["B"]);
    const code =
      "parseFloat(a); Number.parseFloat(b); Number(coin.amount); +price; cost.toFixed(2)";
    const source = ts.createSourceFile(
      "a.ts",
      `${code}; Number(height); seconds.toFixed(1)`,
      ts.ScriptTarget.Latest,
      true,
    );
    const found = nodesOf(source).filter(isFloating);
    expect(found.map((node) => node.getText(source))).toEqual([
      "parseFloat(a)",
      "Number.parseFloat(b)",
      "Number(coin.amount)",
      "+price",
      "cost.toFixed(2)",
    ]);
  });
});

describe("D-24 no keeper is copied, and nothing is attached to one later", () => {
  const machine = sources().filter(({ path }) => /^src\/(app|modules)\//.test(path));

  test("D-24 every field of a keeper is set once, when it is made", () => {
    const loose = machine.flatMap(({ path, source }) =>
      keepersOf(source).flatMap(({ name, members }) =>
        members
          .filter((member) => ts.isPropertyDeclaration(member) && !isReadonly(member))
          .map((member) => `${path}: ${name?.text}.${member.name?.getText(source)}`),
      ),
    );
    expect(loose).toEqual([]);
    const names = machine.flatMap(({ source }) => keepersOf(source).map(({ name }) => name?.text));
    expect(names).toContain("BankKeeper");
    expect(names).toContain("SettlementKeeper");
  });

  test("D-24 no keeper is spread, assigned or cloned into another object", () => {
    const copies = machine.flatMap(({ path, source }) =>
      nodesOf(source)
        .filter((node) => isCopy(node))
        .map((node) => `${path}: ${node.getText(source)}`),
    );
    expect(copies).toEqual([]);
  });

  test("the check of copies finds what is planted", () => {
    const code = "a = { ...keeper }; Object.assign(b, this.escrows); structuredClone(bank); [...x]";
    const source = ts.createSourceFile("a.ts", code, ts.ScriptTarget.Latest, true);
    const found = nodesOf(source).filter(isCopy);
    expect(found.map((node) => node.getText(source))).toEqual([
      "...keeper",
      "Object.assign(b, this.escrows)",
      "structuredClone(bank)",
    ]);
  });
});

describe("D-7 keys of different things differ", () => {
  test("D-7 no two kinds of state share a prefix, and none is the beginning of another", async () => {
    const prefixes: [name: string, bytes: string][] = [];
    for (const module of moduleNames()) {
      const keys = (await import(inRoot(`src/modules/${module}/keys.ts`))) as Record<
        string,
        unknown
      >;
      for (const [name, value] of Object.entries(keys)) {
        if (!/_(PREFIX|KEY)$/.test(name) || typeof value !== "string") continue;
        prefixes.push([`${module}.${name}`, value]);
      }
    }
    expect(prefixes.length).toBeGreaterThan(60);
    const clashes = prefixes.flatMap(([name, bytes]) =>
      prefixes
        .filter(([other, others]) => other !== name && others.startsWith(bytes))
        .map(([other]) => `${name} begins ${other}`),
    );
    expect(clashes).toEqual([]);
  });
});

interface Source {
  readonly path: string;
  readonly source: ts.SourceFile;
}

/** All files of src that somebody wrote. */
function sources(): Source[] {
  return readdirSync(inRoot("src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.startsWith("gen/"))
    .map((path) => `src/${path}`)
    .map((path) => {
      const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
      return { path, source };
    });
}

function nodesOf(root: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  const walk = (node: ts.Node): void => {
    found.push(node);
    ts.forEachChild(node, walk);
  };
  walk(root);
  return found;
}

/** Names of the top messages of a proto file that have a field of floating point. */
function floatingMessages(proto: string): string[] {
  const bare = proto.replaceAll(/\/\/.*$/gm, "");
  const messages = [...bare.matchAll(/^message (\w+) \{([\s\S]*?)^\}/gm)];
  return messages
    .filter(([, , body = ""]) => /\b(double|float)\s+\w+\s*=/.test(body))
    .map(([, name = ""]) => name);
}

const AMOUNT = /(amount|balance|price|cost|total|fee|share|coins?|reward|supply)$/i;

function isFloating(node: ts.Node): boolean {
  if (ts.isPrefixUnaryExpression(node)) {
    return node.operator === ts.SyntaxKind.PlusToken && AMOUNT.test(lastName(node.operand));
  }
  if (!ts.isCallExpression(node)) return false;
  const name = lastName(node.expression);
  const [first] = node.arguments;
  if (name === "Number") return first !== undefined && AMOUNT.test(lastName(first));
  if (!["toFixed", "toPrecision", "toExponential"].includes(name)) return name === "parseFloat";
  const of = node.expression as ts.PropertyAccessExpression;
  return AMOUNT.test(lastName(of.expression));
}

/** "amount" of `coin.amount`, `amount` and `this.#amount`. */
function lastName(node: ts.Node): string {
  if (ts.isPropertyAccessExpression(node)) return node.name.text.replace("#", "");
  return ts.isIdentifier(node) ? node.text : "";
}

function keepersOf(source: ts.SourceFile): ts.ClassDeclaration[] {
  return nodesOf(source).filter((node): node is ts.ClassDeclaration => {
    return ts.isClassDeclaration(node) && /Keeper$/.test(node.name?.text ?? "");
  });
}

function isReadonly(member: ts.ClassElement): boolean {
  return (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Readonly) !== 0;
}

const KEEPER =
  /^(this|bank|auth|records|escrows|usage(Keeper)?s?|payouts|settlements|rewards|\w*[kK]eeper)$/;

function isCopy(node: ts.Node): boolean {
  if (ts.isSpreadAssignment(node)) return isKeeper(node.expression);
  if (!ts.isCallExpression(node)) return false;
  const copies = ["assign", "structuredClone"].includes(lastName(node.expression));
  return copies && node.arguments.some(isKeeper);
}

/** `usage` alone is a record's name, too: only `this.usage` is a keeper. */
function isKeeper(node: ts.Expression): boolean {
  if (node.kind === ts.SyntaxKind.ThisKeyword) return true;
  if (ts.isIdentifier(node) && node.text === "usage") return false;
  return KEEPER.test(lastName(node));
}
