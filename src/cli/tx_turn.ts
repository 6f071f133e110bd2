import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BroadcastResult } from "../client/client.ts";
import { writeFileAtomic } from "./atomic_file.ts";
import { inTurn } from "./file_turn.ts";
import {
  broadcast,
  expectedSequence,
  type PlannedTx,
  SEQUENCE_TRIES,
  signTx,
  type TxSession,
} from "./tx_flow.ts";

/** Code of codespace "sdk": incorrect account sequence. */
const WRONG_SEQUENCE = 32;

/**
 * Signs and sends a planned tx with the next sequence of its key: that after the last tx which this
 * home sent, be it in a block or not, and in any case the one that the node expects. Commands of one
 * key that run at the same time take turns. With `--sequence` it is that one, and no other.
 */
export async function sendInTurn(session: TxSession, planned: PlannedTx): Promise<BroadcastResult> {
  const { context, flags, client, key } = session;
  if (flags.sequence !== undefined) return broadcast(client, await signTx(session, planned));
  // A password is asked for before others have to wait.
  await session.signer();
  const base = join(context.home, "sequences", `${client.chainId}-${key.address}`);
  return inTurn(`${base}.lock`, async () => {
    const { sequence, result } = await send(session, planned, await firstSequence(base, planned));
    if (result.code === 0) await keepNext(base, sequence + 1n);
    return result;
  });
}

async function firstSequence(base: string, { sequence }: PlannedTx): Promise<bigint> {
  const kept = await readNext(base);
  return kept !== undefined && kept > sequence ? kept : sequence;
}

/** Sends, again and again while the node expects another sequence. */
async function send(
  session: TxSession,
  planned: PlannedTx,
  first: bigint,
): Promise<{ sequence: bigint; result: BroadcastResult }> {
  let sequence = first;
  for (let tries = 1; ; tries += 1) {
    const result = await broadcast(session.client, await signTx(session, { ...planned, sequence }));
    const isWrong = result.codespace === "sdk" && result.code === WRONG_SEQUENCE;
    const expected = isWrong ? expectedSequence(result.log) : undefined;
    if (expected === undefined || tries === SEQUENCE_TRIES) return { sequence, result };
    sequence = expected;
  }
}

/** undefined: nothing was sent yet, or what is there cannot be read; the node knows better. */
async function readNext(base: string): Promise<bigint | undefined> {
  const text = await readFile(`${base}.next`, "utf8").catch(() => "");
  return /^[0-9]{1,20}\n$/.test(text) ? BigInt(text) : undefined;
}

async function keepNext(base: string, next: bigint): Promise<void> {
  await writeFileAtomic(`${base}.next`, `${next}\n`, { mode: 0o600, overwrite: true });
}
