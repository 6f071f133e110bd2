import type { Command, Option } from "commander";

/** Words of the flags that take the name of a key. */
const KEY_FLAGS = ["--from"];
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "--output": ["text", "json"],
  "-o": ["text", "json"],
  "--until": ["included", "settled"],
  "--keyring-backend": ["test", "file"],
  "--sign-mode": ["direct", "amino-json"],
  "--block-mode": ["mixed", "instant", "interval", "manual"],
  "--gas": ["auto"],
  "--format": ["pods", "metrics"],
};

/** What can stand at the place of the last of `words`, which may be empty or unfinished. */
export async function candidates(
  program: Command,
  words: readonly string[],
  keyNames: () => Promise<string[]>,
): Promise<string[]> {
  const typed = words.at(-1) ?? "";
  const before = words.at(-2) ?? "";
  const begins = (text: string) => text.startsWith(typed);
  if (KEY_FLAGS.includes(before)) return (await keyNames()).filter(begins);
  const values = VALUES[before];
  if (values !== undefined) return values.filter(begins);
  const { command, program: root } = locate(program, words.slice(0, -1));
  if (typed.startsWith("-")) {
    const options = [...command.options, ...root.options].filter(({ hidden }) => !hidden);
    return [...new Set([...options.map(longest), "--help"])].filter(begins);
  }
  const names = command.commands.map((each) => each.name()).filter((name) => !name.startsWith("_"));
  if (names.length > 0) return names.filter(begins);
  return (await keyNames()).filter(begins);
}

function longest(option: Option): string {
  return option.long ?? option.short ?? "";
}

function locate(
  program: Command,
  words: readonly string[],
): { command: Command; program: Command } {
  let command = program;
  for (const word of words) {
    const next = command.commands.find(
      (each) => each.name() === word || each.aliases().includes(word),
    );
    if (next !== undefined) command = next;
  }
  return { command, program };
}
