import process from "node:process";

export type OutputFormat = "text" | "json";

/** The process's edges as commands see them, so that tests can stand in for them. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Data: what a program would read. */
  out(text: string): void;
  /** Words: progress, notes, errors. */
  err(text: string): void;
  /** All of stdin as text. */
  readStdin(): Promise<string>;
  /** Lines of stdin as they come. */
  stdinLines(): AsyncIterable<string>;
  /** Whether a person can be asked: stdin and stderr are a terminal. */
  readonly interactive: boolean;
  /** A line typed without echo. Only when `interactive`. */
  promptSecret(question: string): Promise<string>;
  /** A line typed. Only when `interactive`. */
  prompt(question: string): Promise<string>;
  /** Width of the terminal that stdout is, undefined for a pipe or a file. */
  readonly columns: number | undefined;
  readonly color: boolean;
}

/** The real process. */
export function processIo(): Io {
  const { env, stdin, stdout, stderr } = process;
  return {
    env,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    readStdin,
    stdinLines,
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    promptSecret: (question) => ask(question, true),
    prompt: (question) => ask(question, false),
    columns: stdout.isTTY === true ? stdout.columns : undefined,
    color: stdout.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
  };
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("utf8");
}

async function* stdinLines(): AsyncIterable<string> {
  const { createInterface } = await import("node:readline");
  yield* createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
}

/** Lines that came with the answer to an earlier question: typed ahead, or pasted. */
const typedAhead: string[] = [];

async function ask(question: string, secret: boolean): Promise<string> {
  const [{ createInterface }, { Writable }] = await Promise.all([
    import("node:readline"),
    import("node:stream"),
  ]);
  // The terminal's echo is done by readline itself: an output that drops everything mutes it.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(question);
  const early = typedAhead.shift();
  if (early !== undefined) {
    process.stderr.write("\n");
    return early;
  }
  const lines = createInterface({
    input: process.stdin,
    output: secret ? silent : process.stderr,
    terminal: true,
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once("line", (answer: string) => {
        lines.on("line", (line: string) => void typedAhead.push(line));
        resolve(answer);
      });
      lines.once("SIGINT", () => reject(new Error("interrupted")));
      lines.once("close", () => reject(new Error("no input")));
    });
  } finally {
    lines.close();
    if (secret) process.stderr.write("\n");
  }
}
