import type { Command } from "commander";
import { Client } from "../client/client.ts";
import { DEFAULT_RPC_PORT, rpcUrlOf } from "./endpoints.ts";
import { type HomeChain, readHomeChain, readRunningNode, resolveHome } from "./home.ts";
import type { Io, OutputFormat } from "./io.ts";
import { openFileKeyring } from "./keyring/file_keyring.ts";
import type { Keyring, KeyringBackend } from "./keyring/keyring.ts";
import { KEYRING_BACKENDS } from "./keyring/keyring.ts";
import { passwordSource } from "./keyring/password.ts";
import { openTestKeyring } from "./keyring/test_keyring.ts";
import { usageError } from "./cli_error.ts";
import { join } from "node:path";

/** What every command has at hand: the process's edges and the global flags. */
export interface Context {
  readonly io: Io;
  readonly home: string;
  readonly format: OutputFormat;
}

/** The context of a command that runs. */
export function contextOf(io: Io, command: Command): Context {
  const { home, output } = command.optsWithGlobals<{ home?: string; output?: string }>();
  const format = output ?? io.env["SETTLED_OUTPUT"] ?? "text";
  if (format !== "text" && format !== "json") {
    throw usageError(`--output is text or json, not "${format}"`);
  }
  return { io, home: resolveHome(home, io.env), format };
}

/** Flags of the commands that talk to a node. */
export interface NodeFlags {
  readonly node?: string | undefined;
}

/** Adds `--node`. */
export function withNodeFlag(command: Command): Command {
  return command.option(
    "--node <url>",
    "RPC address of the node (default: the node of this home, else 127.0.0.1:26657)",
  );
}

/** Connects to the node that `--node`, SETTLED_NODE or the home names. @throws ConnectionError */
export async function connect(context: Context, flags: NodeFlags): Promise<Client> {
  return Client.connect(await nodeUrl(context, flags));
}

export async function nodeUrl(context: Context, flags: NodeFlags): Promise<string> {
  const named = flags.node ?? context.io.env["SETTLED_NODE"];
  if (named !== undefined && named !== "") return named;
  const running = await readRunningNode(context.home);
  return running?.rpc ?? rpcUrlOf("127.0.0.1", DEFAULT_RPC_PORT);
}

/** Flags of the commands that use keys. */
export interface KeyringFlags {
  readonly keyringBackend?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** Adds `--keyring-backend` and `--password-file`. */
export function withKeyringFlags(command: Command): Command {
  return command
    .option("--keyring-backend <backend>", "test (plain text, dev chains) or file (password)")
    .option("--password-file <file>", "file whose first line is the password of the file keyring");
}

/** The keyring that the flags name; without them `test` in the home of a dev chain, else `file`. */
export async function openKeyring(
  context: Context,
  flags: KeyringFlags,
): Promise<{ keyring: Keyring; chain: HomeChain }> {
  const chain = await readHomeChain(context.home);
  const named = flags.keyringBackend ?? context.io.env["SETTLED_KEYRING_BACKEND"];
  const backend = parseBackend(named) ?? (chain.dev ? "test" : "file");
  const directory = join(context.home, `keyring-${backend}`);
  const keyring =
    backend === "test"
      ? openTestKeyring(directory, chain.prefix)
      : openFileKeyring(directory, chain.prefix, passwordSource(context.io, flags.passwordFile));
  return { keyring, chain };
}

function parseBackend(text: string | undefined): KeyringBackend | undefined {
  if (text === undefined || text === "") return undefined;
  const backend = KEYRING_BACKENDS.find((each) => each === text);
  if (backend !== undefined) return backend;
  throw usageError(`--keyring-backend is one of ${KEYRING_BACKENDS.join(", ")}, not "${text}"`);
}
