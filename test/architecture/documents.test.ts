import type { Command } from "commander";
import { expect, test } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { fakeIo } from "../unit/cli/fake_io.ts";
import { projectFiles, read } from "./repository.ts";

const documents = projectFiles().filter(
  (path) => /^(README|CHANGELOG)\.md$/.test(path) || /^docs\/.*\.md$/.test(path),
);

/** Everything in code spans and code blocks. */
function codeOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```[a-z]*\n([\s\S]*?)^```/gm)].flatMap(([, body = ""]) =>
    body.replaceAll("\\\n", " ").split("\n"),
  );
  const spans = [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
  return [...blocks, ...spans];
}

const NAMES = /(?:^|[|&;(] ?|\$ )(?:npx )?(?:settled|node dist\/cli\/main\.js) +([^|&;#]*)/;

/** Words after the program's name that could be commands: up to the first flag or value. */
function commandWords(line: string): string[] | undefined {
  const rest = NAMES.exec(line)?.[1];
  if (rest === undefined) return undefined;
  const words = rest.trim().split(/\s+/);
  const end = words.findIndex((word) => !/^[a-z][a-z0-9-]*$/.test(word));
  return end === -1 ? words : words.slice(0, end);
}

/** The words that are no command where one is needed; a command with arguments takes the rest. */
function unknownCommand(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  for (const word of words) {
    const next = command.commands.find(
      (each) => each.name() === word || each.aliases().includes(word),
    );
    if (next === undefined) return command.commands.length === 0 ? undefined : word;
    command = next;
  }
  return undefined;
}

test("every command that the documents name exists", () => {
  const program = buildProgram(fakeIo());
  const unknown = documents.flatMap((path) =>
    codeOf(read(path)).flatMap((line) => {
      const words = commandWords(line);
      const word = words === undefined ? undefined : unknownCommand(program, words);
      return word === undefined ? [] : [`${path}: "settled ${words?.join(" ")}": no such command`];
    }),
  );
  expect(unknown).toEqual([]);
});

test("the check of commands finds a wrong one", () => {
  const program = buildProgram(fakeIo());
  const check = (line: string) => unknownCommand(program, commandWords(line) ?? []);
  expect(check("settled quary bank")).toBe("quary");
  expect(check("npx settled query bank balancez ve1x")).toBe("balancez");
  expect(check("settled query bank balances ve1x")).toBeUndefined();
  expect(check("$ settled keys list -o json | head")).toBeUndefined();
});

test("every npm script that the documents name exists", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const unknown = documents.flatMap((path) =>
    codeOf(read(path)).flatMap((line) =>
      [...line.matchAll(/\bnpm run (?:--?[a-z]+ )*([a-z:]+)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${path}: npm run ${name}`),
    ),
  );
  expect(unknown).toEqual([]);
});
