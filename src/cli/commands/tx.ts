import { Command } from "commander";
import { packAny } from "../../codec/any.ts";
import type { TxContent } from "../../client/tx_builder.ts";
import { withSignature } from "../auto_signature.ts";
import { usageError } from "../cli_error.ts";
import { contextOf } from "../context.ts";
import { type GeneratedCommand, moduleCommands } from "../generated_commands.ts";
import type { Io } from "../io.ts";
import { addFileFlag, readMessageFile } from "../message_file.ts";
import { readFlags } from "../message_flags.ts";
import { printResult } from "../output.ts";
import { addParamsFlags, type ParamsFlags, paramsUpdate, UPDATE_PARAMS } from "../params_flags.ts";
import { addTxFlags, parseNumber, TX_FLAG_NAMES, type TxFlags } from "../tx_flags.ts";
import { effectsOf, printEffects } from "../tx_effects.ts";
import { concludeTx, openTxSession, type PlannedTx, planTx, type TxSession } from "../tx_flow.ts";
import { unsignedTxJson } from "../tx_file.ts";
import { printSent } from "../tx_print.ts";
import { sendInTurn } from "../tx_turn.ts";
import { valueContext } from "../value_context.ts";
import { broadcastCommand, signCommand } from "./tx_files.ts";

/** `settled tx …` */
export function txCommand(io: Io): Command {
  const command = new Command("tx").description("make, sign and send a tx");
  const generated = moduleCommands({
    kind: "Msg",
    taken: TX_FLAG_NAMES,
    finish: (each) => finish(io, each),
  });
  for (const module of generated) command.addCommand(module);
  return command.addCommand(signCommand(io)).addCommand(broadcastCommand(io));
}

function finish(io: Io, generated: GeneratedCommand): void {
  const updatesParams = generated.input.name === UPDATE_PARAMS;
  if (updatesParams) addParamsFlags(generated.command);
  if (generated.readsFile) addFileFlag(generated.command);
  addTxFlags(generated.command).action(async (...all: unknown[]) => {
    const self = all.at(-1) as Command;
    const flags = self.opts<TxFlags & ParamsFlags & Record<string, unknown>>();
    const context = contextOf(io, self);
    const values = await valueContext(context, flags.keyringBackend);
    const message = readFlags(generated.flags, self.args, flags, values);
    if (generated.readsFile && flags.file !== undefined) {
      Object.assign(message, readMessageFile(flags.file, generated.input, message));
    }
    if (flags.generateOnly === true && flags.dryRun === true) {
      throw usageError("--dry-run and --generate-only exclude each other");
    }
    const session = await openTxSession(context, flags);
    if (updatesParams) {
      const { fields, changes } = await paramsUpdate(session.client, flags, values);
      Object.assign(message, fields);
      if (context.format === "text") io.err(`${changes.join("\n")}\n`);
    }
    for (const name of generated.signerFields) {
      const field = generated.input.fields.find((each) => each.name === name);
      if (field !== undefined) message[field.key] = session.key.address;
    }
    await perform(session, await contentOf(session, generated, message));
  });
}

async function contentOf(
  session: TxSession,
  { input }: GeneratedCommand,
  message: Record<string, unknown>,
): Promise<TxContent> {
  const { memo, timeoutHeight } = session.flags;
  const full = await withSignature(input.name, message, session);
  return {
    messages: [packAny(input.name, full)],
    memo: memo ?? "",
    timeoutHeight: parseNumber("--timeout-height", timeoutHeight) ?? 0n,
  };
}

/** Plans a tx and does with it what the flags ask for. */
async function perform(session: TxSession, content: TxContent): Promise<void> {
  const { context, flags, client } = session;
  const planned = await planTx(session, content);
  if (flags.dryRun === true)
    return printEffects(context, planned, await effectsOf(session, planned));
  if (flags.generateOnly === true) {
    return printResult(context.io, "json", unsignedTxJson(content, planned.fee));
  }
  await confirm(session, planned);
  printSent(context, await concludeTx(client, await sendInTurn(session, planned), flags.wait));
}

/** Asks before spending from a keyring with a password. The keys of dev chains are not asked for. */
async function confirm({ context, flags, key, client }: TxSession, tx: PlannedTx): Promise<void> {
  const { io } = context;
  if (flags.yes === true || !io.interactive || context.format === "json") return;
  if (flags.keyringBackend === "test") return;
  const types = tx.content.messages.map(({ typeUrl }) => typeUrl.slice(1)).join(", ");
  const fee = tx.fee.amount.map(({ amount, denom }) => amount + denom).join(",") || "no fee";
  io.err(`${types}\n  from  ${key.name} (${key.address})\n  fee   ${fee}\n`);
  const answer = await io.prompt(`Send to ${client.chainId}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw usageError("not sent", "answer y, or give --yes");
}
