import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { DEFAULT_HD_PATH, newMnemonic, privateKeyOfMnemonic } from "../../client/signer.ts";
import { fromHex, toHex } from "../../lib/bytes.ts";
import { CliError, usageError } from "../cli_error.ts";
import {
  type Context,
  contextOf,
  openKeyring,
  type KeyringFlags,
  withKeyringFlags,
} from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { HomeChain } from "../home.ts";
import type { Io } from "../io.ts";
import type { KeyInfo, Keyring, KeySecret } from "../keyring/keyring.ts";
import { printList, printResult } from "../output.ts";

/** `settled keys …` */
export function keysCommand(io: Io): Command {
  return new Command("keys")
    .description("manage the keys that sign txs")
    .addCommand(addCommand(io))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(importCommand(io))
    .addCommand(deleteCommand(io));
}

interface AddFlags extends KeyringFlags {
  words: string;
  recover?: boolean;
  hdPath: string;
  showMnemonic?: boolean;
}

function addCommand(io: Io): Command {
  const command = new Command("add")
    .argument("<name>", "name of the new key")
    .description("make a key, or get one back from its mnemonic")
    .option("--words <12|24>", "length of the new mnemonic", "24")
    .option("--recover", "read the mnemonic from the terminal or stdin")
    .option("--hd-path <path>", "BIP-44 path of the key", DEFAULT_HD_PATH)
    .option("--show-mnemonic", "print the mnemonic too; it is kept in the keyring in any case");
  return withKeyringFlags(command)
    .addHelpText("after", examples("keys add alice", "keys add bob --recover < mnemonic.txt"))
    .action(async (name: string, flags: AddFlags, self: Command) => {
      const context = contextOf(io, self);
      if (flags.words !== "12" && flags.words !== "24") throw usageError("--words is 12 or 24");
      const { keyring, chain } = await openKeyring(context, flags);
      const mnemonic =
        flags.recover === true
          ? await readSecret(io, undefined, "Mnemonic: ")
          : await newMnemonic(flags.words === "12" ? 12 : 24);
      const privateKey = await privateKeyOfMnemonic(mnemonic, flags.hdPath);
      const info = await keyring.add({ name, privateKey, mnemonic: tidy(mnemonic) });
      warnOfPlainText(io, keyring, chain);
      const shown = flags.showMnemonic === true ? { mnemonic: tidy(mnemonic) } : {};
      printResult(io, context.format, { ...keyJson(info, keyring), ...shown });
      if (flags.recover !== true && flags.showMnemonic !== true && context.format === "text") {
        io.err(`The mnemonic is in the keyring: settled keys show ${name} --show-mnemonic\n`);
      }
    });
}

function listCommand(io: Io): Command {
  return withKeyringFlags(new Command("list").description("list the keys; needs no password"))
    .addHelpText("after", examples("keys list", "keys list -o json"))
    .action(async (flags: KeyringFlags, self: Command) => {
      const context = contextOf(io, self);
      const { keyring } = await openKeyring(context, flags);
      const rows = (await keyring.list()).map((info) => keyJson(info, keyring));
      printList(io, context.format, rows, [
        { title: "NAME", text: ({ name }) => name },
        { title: "ADDRESS", text: ({ address }) => address, keep: true },
        { title: "ROLE", text: ({ role }) => role ?? "" },
      ]);
    });
}

interface ShowFlags extends KeyringFlags {
  address?: boolean;
  showMnemonic?: boolean;
  showPrivateKey?: boolean;
}

function showCommand(io: Io): Command {
  const command = new Command("show")
    .argument("<name>", "name or address")
    .description("show a key")
    .option("-a, --address", "print the address only")
    .option("--show-mnemonic", "print the mnemonic too (a secret)")
    .option("--show-private-key", "print the private key too, in hex (a secret)");
  return withKeyringFlags(command)
    .addHelpText("after", examples("keys show alice", "keys show alice -a"))
    .action(async (name: string, flags: ShowFlags, self: Command) => {
      const context = contextOf(io, self);
      const { keyring } = await openKeyring(context, flags);
      const info = await keyring.find(name);
      if (flags.address === true && context.format === "text") return io.out(`${info.address}\n`);
      const secrets = await secretsShown(keyring, info, flags);
      printResult(io, context.format, { ...keyJson(info, keyring), ...secrets });
    });
}

async function secretsShown(keyring: Keyring, info: KeyInfo, flags: ShowFlags): Promise<object> {
  if (flags.showMnemonic !== true && flags.showPrivateKey !== true) return {};
  const secret = await keyring.secret(info.name);
  if (flags.showMnemonic === true && secret.mnemonic === undefined) {
    throw new CliError(EXIT.notFound, "no_mnemonic", `key "${info.name}" has no mnemonic`, {
      hint: `it was imported as a private key: settled keys show ${info.name} --show-private-key`,
    });
  }
  return {
    ...(flags.showMnemonic === true ? { mnemonic: secret.mnemonic } : {}),
    ...(flags.showPrivateKey === true ? { private_key: toHex(secret.privateKey) } : {}),
  };
}

interface ImportFlags extends KeyringFlags {
  file?: string;
  hdPath: string;
}

function importCommand(io: Io): Command {
  const command = new Command("import")
    .argument("<name>", "name of the key here")
    .description("take in a mnemonic, or a private key of 64 hex digits")
    .option("--file <file>", "read it from a file (default: the terminal or stdin)")
    .option("--hd-path <path>", "BIP-44 path of the key of a mnemonic", DEFAULT_HD_PATH);
  return withKeyringFlags(command)
    .addHelpText("after", examples("keys import carol --file key.hex", "keys import dan < words"))
    .action(async (name: string, flags: ImportFlags, self: Command) => {
      const context = contextOf(io, self);
      const { keyring, chain } = await openKeyring(context, flags);
      const text = await readSecret(io, flags.file, "Mnemonic or private key: ");
      const info = await keyring.add({ name, ...(await parseSecret(text, flags.hdPath)) });
      warnOfPlainText(io, keyring, chain);
      printResult(io, context.format, keyJson(info, keyring));
    });
}

function deleteCommand(io: Io): Command {
  const command = new Command("delete")
    .argument("<name>", "name of the key")
    .description("delete a key; without its mnemonic elsewhere the account is lost")
    .option("-y, --yes", "do not ask");
  return withKeyringFlags(command)
    .addHelpText("after", examples("keys delete alice --yes"))
    .action(async (name: string, flags: KeyringFlags & { yes?: boolean }, self: Command) => {
      const context = contextOf(io, self);
      const { keyring } = await openKeyring(context, flags);
      const info = await keyring.find(name);
      if (flags.yes !== true) await confirmDeletion(context, info);
      await keyring.delete(info.name);
      printResult(io, context.format, { deleted: info.name, address: info.address });
    });
}

async function confirmDeletion({ io }: Context, info: KeyInfo): Promise<void> {
  const hint = `settled keys delete ${info.name} --yes`;
  if (!io.interactive) throw usageError("deleting a key needs --yes", hint);
  const answer = await io.prompt(
    `Delete "${info.name}" (${info.address}) for good? Type its name: `,
  );
  if (answer.trim() !== info.name) throw usageError("not deleted", hint);
}

function warnOfPlainText(io: Io, { backend }: Keyring, chain: HomeChain): void {
  if (backend !== "test" || chain.dev) return;
  io.err("note: the test keyring is plain text; it signs for dev chains only\n");
}

async function readSecret(io: Io, file: string | undefined, question: string): Promise<string> {
  if (file !== undefined) return readFile(file, "utf8");
  return io.interactive ? io.promptSecret(question) : io.readStdin();
}

async function parseSecret(text: string, hdPath: string): Promise<KeySecret> {
  const trimmed = text.trim();
  const hex = fromHex(trimmed.replace(/^0x/, ""));
  if (hex !== undefined && hex.length > 0) return { privateKey: hex, mnemonic: undefined };
  if (trimmed === "") throw usageError("nothing to import: expected a mnemonic or 64 hex digits");
  return { privateKey: await privateKeyOfMnemonic(trimmed, hdPath), mnemonic: tidy(trimmed) };
}

function tidy(mnemonic: string): string {
  return mnemonic.trim().toLowerCase().split(/\s+/).join(" ");
}

function keyJson(info: KeyInfo, keyring: Keyring) {
  const { name, address, role } = info;
  return {
    ...{ name, address, public_key: toHex(info.publicKey), backend: keyring.backend },
    ...(role === undefined ? {} : { role }),
  };
}
