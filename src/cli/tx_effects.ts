import type { Effects } from "../client/client.ts";
import { buildSimulationTx } from "../client/tx_builder.ts";
import { CliError, exitOfTxCode } from "./cli_error.ts";
import type { Context } from "./context.ts";
import { printResult, renderValue } from "./output.ts";
import { renderTable } from "./table.ts";
import type { PlannedTx, TxSession } from "./tx_flow.ts";

/**
 * What a planned tx would move, its fee included.
 * @throws CliError `tx_refused` when the tx would fail with its fee, though it would not without
 */
export async function effectsOf(session: TxSession, planned: PlannedTx): Promise<Effects> {
  const { client, key } = session;
  const { content, sequence, fee } = planned;
  const { publicKey } = key;
  const tx = buildSimulationTx({ ...content, publicKey, sequence, fee });
  const effects = await client.simulateEffects(tx);
  const { code, codespace, log } = effects;
  if (code === 0) return effects;
  throw new CliError(exitOfTxCode("check", codespace, code), "tx_refused", log, {
    hint: "nothing was sent",
    details: { stage: "simulate", codespace, abciCode: code },
  });
}

/** Prints gas and fee of a tx that is not sent, and who would have more or less after it. */
export function printEffects({ io, format }: Context, planned: PlannedTx, effects: Effects): void {
  const { simulatedGas, fee } = planned;
  const cost = { gas_used: simulatedGas, gas_limit: fee.gasLimit, fee: fee.amount };
  const changes = effects.changes.map(({ address, moduleName, denom, change }) => ({
    ...{ address, module: moduleName, denom, change },
  }));
  printResult(io, format, { ...cost, changes }, () => {
    const table = renderTable(changes, [
      { title: "account", text: ({ address }) => address, keep: true },
      { title: "module", text: ({ module }) => module },
      { title: "change", text: ({ change }) => signed(change), right: true },
      { title: "denom", text: ({ denom }) => denom },
    ]);
    return `${renderValue(io, cost)}\n${table}`;
  });
}

function signed(change: string): string {
  return change.startsWith("-") ? change : `+${change}`;
}
