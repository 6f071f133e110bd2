import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ChildMessage } from "./messages.ts";

export interface StartedChild {
  readonly process: ChildProcess;
  /** What its work gave. Rejects when it failed. */
  readonly value: Promise<unknown>;
}

/**
 * Starts a child process.
 * @param name of its file in this folder
 */
export function startChild(
  name: string,
  input: unknown,
  onMessage: (message: ChildMessage) => void = () => undefined,
): StartedChild {
  const path = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  // The young generation is that of `npm start`.
  const execArgv = ["--expose-gc", "--enable-source-maps", "--max-semi-space-size=64"];
  const child = fork(path, [JSON.stringify(input)], { execArgv });
  return { process: child, value: valueOf(child, onMessage) };
}

async function valueOf(
  child: ChildProcess,
  onMessage: (message: ChildMessage) => void,
): Promise<unknown> {
  let [failure, value]: [string | undefined, unknown] = [undefined, undefined];
  child.on("message", (message: ChildMessage) => {
    if (message.type === "failed") failure = message.why;
    else if (message.type === "value") value = message.value;
    else onMessage(message);
  });
  // "close" does not come after a disconnect from this side.
  const [[code, signal]] = (await Promise.all([
    once(child, "exit"),
    once(child, "disconnect"),
  ])) as [[number | null, string | null], unknown[]];
  if (failure !== undefined) throw new Error(failure);
  if (code !== 0) throw new Error(`its process ended with ${signal ?? code}`);
  return value;
}
