import type { Mode } from "./harness/sizes.ts";

export interface Options {
  readonly mode: Mode;
  /** File for the whole report. */
  readonly json: string | undefined;
  readonly check: boolean;
  readonly updateBaseline: boolean;
  /** Names of figures; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** Folder with homes that are built if absent and kept. */
  readonly homes: string | undefined;
  /** Records of the large home. */
  readonly homeRecords: number | undefined;
}

/** Wrong arguments: the message is all that a user needs. */
export class OptionError extends Error {}

/**
 * Reads the arguments of `npm run bench`.
 * @param names of all figures
 * @throws OptionError
 */
export function parseOptions(args: readonly string[], names: readonly string[]): Options {
  const words = args.flatMap((arg) => {
    const at = arg.startsWith("--") ? arg.indexOf("=") : -1;
    return at < 0 ? [arg] : [arg.slice(0, at), arg.slice(at + 1)];
  });
  const flags = new Set<string>();
  const values = new Map<string, string>();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    if (["--quick", "--smoke", "--check", "--update-baseline"].includes(word)) flags.add(word);
    else if (["--json", "--only", "--homes", "--records"].includes(word)) {
      at += 1;
      const value = words[at];
      if (value === undefined || value === "") throw new OptionError(`${word} needs a value`);
      values.set(word, value);
    } else throw new OptionError(`unknown argument ${word}; see --help`);
  }
  return {
    mode: flags.has("--smoke") ? "smoke" : flags.has("--quick") ? "quick" : "full",
    json: values.get("--json"),
    check: flags.has("--check"),
    updateBaseline: flags.has("--update-baseline"),
    only: namesOf(values.get("--only"), names),
    homes: values.get("--homes"),
    homeRecords: recordsOf(values.get("--records")),
  };
}

/** A name stands for all figures that begin with it. */
function namesOf(text: string | undefined, names: readonly string[]): string[] | undefined {
  if (text === undefined) return undefined;
  return text.split(",").flatMap((part) => {
    const found = names.filter((name) => name === part || name.startsWith(part));
    const exact = found.filter((name) => name === part);
    if (found.length === 0)
      throw new OptionError(`no figure is called ${part}; figures: ${names.join(" ")}`);
    return exact.length > 0 ? exact : found;
  });
}

function recordsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1000 || number % 1000 !== 0)
    throw new OptionError("--records: a multiple of 1,000");
  return number;
}
