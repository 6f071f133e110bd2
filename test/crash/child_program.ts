import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { inRoot } from "../architecture/repository.ts";
import { ensureBuilt } from "../e2e/node_process.ts";

const OUT = inRoot("node_modules", ".cache", "settled", "crash");

/**
 * A child as a program of its own, over the build of src.
 * @param files of this folder: the program, and what it imports of this folder
 * @returns the program's path
 */
export async function compileChild(...files: readonly [string, ...string[]]): Promise<string> {
  await ensureBuilt();
  await mkdir(OUT, { recursive: true });
  const target = ts.ScriptTarget.ES2022;
  const pathOf = (file: string) => join(OUT, `${basename(file, ".ts")}.mjs`);
  for (const file of files) {
    const text = await readFile(inRoot("test", "crash", file), "utf8");
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target, module: ts.ModuleKind.ES2022, verbatimModuleSyntax: true },
    });
    const dist = pathToFileURL(inRoot("dist")).href;
    const linked = outputText
      .replaceAll(/(from ")\.\.\/\.\.\/src\/([^"]+)\.ts"/g, `$1${dist}/$2.js"`)
      .replaceAll(/(from "\.\/[^"]+)\.ts"/g, '$1.mjs"');
    await writeFile(pathOf(file), linked);
  }
  return pathOf(files[0]);
}
