import type { Command } from "commander";
import { expect, test } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { fakeIo } from "../unit/cli/fake_io.ts";
import { projectFiles, read } from "./repository.ts";

const documents = projectFiles().filter(
  (path) => /^[A-Z]+\.md$/.test(path) || /^(docs|examples|bench|src)\/.*\.md$/.test(path),
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

/** Words after the program's name. */
function wordsOf(line: string): string[] | undefined {
  return NAMES.exec(line)?.[1]?.trim().split(/\s+/);
}

/** Words after the program's name that could be commands: up to the first flag or value. */
function commandWords(line: string): string[] | undefined {
  const words = wordsOf(line);
  if (words === undefined) return undefined;
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

/** Flags that the command of a line does not have; what stands behind "--" is another program's. */
function unknownFlags(program: Command, line: string): string[] {
  const all = wordsOf(line) ?? [];
  const words = all.includes("--") ? all.slice(0, all.indexOf("--")) : all;
  let command = program;
  const known = ["-h", "--help"];
  const learn = () => {
    for (const { short, long } of command.options) known.push(short ?? "", long ?? "");
  };
  learn();
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) continue;
    command = next;
    learn();
  }
  const flags = words.flatMap((word) => /^\[?(--?[a-z][a-z0-9-]*)/.exec(word)?.[1] ?? []);
  return flags.filter((flag) => !known.includes(flag));
}

/** Every command, with those above it. */
function commandsBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsBelow)];
}

/** Lines of the help of every command that show how it is called. */
function helpLines(program: Command): string[] {
  return commandsBelow(program).flatMap((command) => {
    const lines: string[] = [];
    const writeOut = (text: string) => void lines.push(...text.split("\n"));
    command.configureOutput({ writeOut }).outputHelp();
    return lines
      .filter((line) => /^\s+(settled|\$ settled) /.test(line))
      .map((line) => line.trim());
  });
}

test("D-25 every command that the documents name exists", async () => {
  const program = await buildProgram(fakeIo());
  const unknown = documents.flatMap((path) =>
    codeOf(read(path)).flatMap((line) => {
      const words = commandWords(line);
      const word = words === undefined ? undefined : unknownCommand(program, words);
      return word === undefined ? [] : [`${path}: "settled ${words?.join(" ")}": no such command`];
    }),
  );
  expect(unknown).toEqual([]);
});

test("D-25 every flag that the documents use exists", async () => {
  const program = await buildProgram(fakeIo());
  const unknown = documents.flatMap((path) =>
    codeOf(read(path)).flatMap((line) =>
      unknownFlags(program, line).map((flag) => `${path}: ${flag} of "${line.trim()}"`),
    ),
  );
  expect(unknown).toEqual([]);
});

test("D-25 every command and flag of an example in a command's help exists", async () => {
  const program = await buildProgram(fakeIo());
  const lines = helpLines(program);
  expect(lines.length).toBeGreaterThan(50);
  const wrong = lines.flatMap((line) => [
    ...[unknownCommand(program, commandWords(line) ?? [])].filter((word) => word !== undefined),
    ...unknownFlags(program, line).map((flag) => `${flag} of "${line}"`),
  ]);
  expect(wrong).toEqual([]);
});

test("the check of flags finds a wrong one, and passes over another program's", async () => {
  const program = await buildProgram(fakeIo());
  const line =
    "settled tx settlement settle-order order-1 --is-final --finally -y --from a -o json";
  expect(unknownFlags(program, line)).toEqual(["--finally"]);
  expect(unknownFlags(program, "settled provider meter --order a -- gzip -k --best f")).toEqual([]);
  expect(unknownFlags(program, "npm run bench -- --finally")).toEqual([]);
});

test("the check of commands finds a wrong one", async () => {
  const program = await buildProgram(fakeIo());
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
      [...line.matchAll(/\bnpm run (?:--?[a-z]+ )*([a-z:-]+)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${path}: npm run ${name}`),
    ),
  );
  expect(unknown).toEqual([]);
});
