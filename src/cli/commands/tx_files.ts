import { Command } from "commander";
import { connect, contextOf, type NodeFlags, withNodeFlag } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { usageError } from "../cli_error.ts";
import { addSigningFlags, type TxFlags } from "../tx_flags.ts";
import { accountOf, openTxSession, sendTx, signTx } from "../tx_flow.ts";
import { rawOfTx, readTxFile, signedTxJson } from "../tx_file.ts";
import { printSent } from "../tx_print.ts";

/** `settled tx sign FILE` */
export function signCommand(io: Io): Command {
  const command = new Command("sign")
    .argument("<file>", "an unsigned tx as JSON; - for stdin")
    .description("sign a tx made by --generate-only")
    .requiredOption("--from <key>", "name or address of the key that signs");
  return addSigningFlags(command)
    .addHelpText("after", examples("tx sign tx.json --from alice > signed.json"))
    .action(async (file: string, flags: TxFlags, self: Command) => {
      const context = contextOf(io, self);
      const tx = await readTxFile(io, file);
      if (tx.body === undefined) throw usageError(`${file}: the tx has no body`);
      const session = await openTxSession(context, flags);
      const { messages, memo, timeoutHeight } = tx.body;
      const fee = tx.authInfo?.fee;
      const signed = await signTx(session, {
        ...(await accountOf(session)),
        content: { messages, memo, timeoutHeight },
        fee: { amount: fee?.amount ?? [], gasLimit: fee?.gasLimit ?? 0n },
        simulatedGas: undefined,
      });
      printResult(io, "json", signedTxJson(signed));
    });
}

/** `settled tx broadcast FILE` */
export function broadcastCommand(io: Io): Command {
  const command = new Command("broadcast")
    .argument("<file>", "a signed tx as JSON; - for stdin")
    .description("send a signed tx")
    .option("--no-wait", "return when the tx is checked, before it is in a block");
  return withNodeFlag(command)
    .addHelpText("after", examples("tx broadcast signed.json"))
    .action(async (file: string, flags: NodeFlags & { wait: boolean }, self: Command) => {
      const context = contextOf(io, self);
      const raw = rawOfTx(await readTxFile(io, file));
      const client = await connect(context, flags);
      printSent(context, await sendTx(client, raw, flags.wait));
    });
}
