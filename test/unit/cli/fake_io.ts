import type { Io } from "../../../src/cli/io.ts";
import { run } from "../../../src/cli/program.ts";

export interface FakeIo extends Io {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** A process without terminal, with what the test gives it. */
export function fakeIo(
  options: { env?: Record<string, string>; stdin?: string; answers?: string[] } = {},
): FakeIo {
  const { env = {}, stdin = "", answers } = options;
  const [out, err]: [string[], string[]] = [[], []];
  const answer = (question: string) => {
    err.push(question);
    const next = answers?.shift();
    return next === undefined ? Promise.reject(new Error("no answer left")) : Promise.resolve(next);
  };
  return {
    env,
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    readStdin: () => Promise.resolve(stdin),
    async *stdinLines() {
      yield* stdin.split("\n");
    },
    interactive: answers !== undefined,
    promptSecret: answer,
    prompt: answer,
    columns: undefined,
    color: false,
    stdout: () => out.join(""),
    stderr: () => err.join(""),
  };
}

/** Runs one command line and gathers what it wrote. */
export async function cli(args: readonly string[], options: Parameters<typeof fakeIo>[0] = {}) {
  const io = fakeIo(options);
  const exit = await run(args, io);
  return { exit, stdout: io.stdout(), stderr: io.stderr() };
}
