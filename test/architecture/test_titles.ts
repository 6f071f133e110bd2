import ts from "typescript";
import { projectFiles, read } from "./repository.ts";

/** What a test file says: the titles of its tests, and the error codes that it asks for. */
export interface TestFile {
  readonly path: string;
  /** Titles as written; of a table's title with the texts of its rows behind it. */
  readonly titles: readonly string[];
  /** "settlement/1512", where an outcome is compared with it, or a row or a title has it. */
  readonly codes: ReadonlySet<string>;
}

const TEST_NAMES = ["test", "it", "describe"];
/** Helpers whose second argument is the code that a tx must fail with. */
const ASKING = ["refused", "expectCode"];
const FIRST_CODE_OF_STATE = 1500;

/** All test files of the project. */
export function testFiles(): TestFile[] {
  return projectFiles()
    .filter((path) => path.startsWith("test/") && path.endsWith(".test.ts"))
    .map((path) => parseTest(path, read(path)));
}

export function parseTest(path: string, text: string): TestFile {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const titles: string[] = [];
  const codes = new Set<string>();
  const walk = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const title = titleOf(node);
      if (title !== undefined) titles.push(title);
      for (const [code] of title?.matchAll(/\b[a-z]+\/[0-9]+\b/g) ?? []) codes.add(code);
      for (const code of codesAsked(node)) codes.add(code);
    }
    const code = codeOf(node);
    if (code !== undefined) codes.add(code);
    ts.forEachChild(node, walk);
  };
  walk(source);
  return { path, titles, codes };
}

/** The title of `test("…")`, `describe.each(table)("…")` and the like. */
function titleOf({ expression, arguments: [first] }: ts.CallExpression): string | undefined {
  if (first === undefined || !TEST_NAMES.includes(rootName(expression))) return undefined;
  const title = textOf(first);
  if (title === undefined || !ts.isCallExpression(expression)) return title;
  const [table] = expression.arguments;
  return table === undefined ? title : [title, ...rowTexts(table)].join(" | ");
}

/** "test" of `test.each(table)`, `test.skipIf(x).each(table)`, `test`. */
function rootName(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) {
    return rootName(node.expression);
  }
  return "";
}

/** A literal's text; of a template with what it fills in left out. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join("…");
}

/** The first text of every row of a table that is written in place. */
function rowTexts(table: ts.Expression): string[] {
  if (!ts.isArrayLiteralExpression(table)) return [];
  return table.elements.flatMap((row) => {
    const first = ts.isArrayLiteralExpression(row) ? row.elements[0] : row;
    const found = first === undefined ? undefined : textOf(first);
    return found === undefined ? [] : [found];
  });
}

/** Codes that a call asks for: `chain.refused(message, 1512)`, `expectCode(result, "sdk/5")`. */
function codesAsked({ expression, arguments: given }: ts.CallExpression): string[] {
  const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : "";
  if (!ASKING.includes(name) && !ASKING.includes(rootName(expression))) return [];
  const asked = given[1];
  return asked !== undefined && ts.isNumericLiteral(asked) ? [`settlement/${asked.text}`] : [];
}

/**
 * "settlement/3" wherever it is written; a number from 1500 on where it is a row's cell beside other
 * things, or a field `code`: elsewhere it may be an amount.
 */
function codeOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) {
    return /^[a-z]+\/[0-9]+$/.test(node.text) ? node.text : undefined;
  }
  if (!ts.isNumericLiteral(node) || Number(node.text) < FIRST_CODE_OF_STATE) return undefined;
  const { parent } = node;
  const isCell = ts.isArrayLiteralExpression(parent) && !parent.elements.every(ts.isNumericLiteral);
  const isField = ts.isPropertyAssignment(parent) && parent.name.getText() === "code";
  return isCell || isField ? `settlement/${node.text}` : undefined;
}
