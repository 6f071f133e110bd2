import { messageToJson } from "../../codec/proto_json.ts";
import {
  type Balance,
  GenesisState,
  JournalEntry,
  JournalHead,
} from "../../gen/settled/bank/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { fromUtf8 } from "../../lib/bytes.ts";
import { bytesOfKey, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { decodeAmount } from "./keeper.ts";
import * as keys from "./keys.ts";

/** Balances, supply and the whole journal as genesis JSON. */
export async function exportBank(reader: Reader): Promise<unknown> {
  const genesis = GenesisState.fromPartial({});
  for await (const [key, value] of reader.range(keys.BALANCE_PREFIX)) {
    const [address, denom] = textParts(key);
    const coin = { denom, amount: decodeAmount(value).toString() };
    const last = genesis.balances.at(-1);
    if (last?.address === address) last.coins.push(coin);
    else genesis.balances.push({ address, coins: [coin] } satisfies Balance);
  }
  for await (const [key, value] of reader.range(keys.SUPPLY_PREFIX)) {
    const denom = text(key.slice(keys.SUPPLY_PREFIX.length));
    genesis.supply.push({ denom, amount: decodeAmount(value).toString() });
  }
  for await (const [, value] of reader.range(keys.JOURNAL_PREFIX)) {
    genesis.journal.push(JournalEntry.decode(value));
  }
  const head = await reader.get(keys.JOURNAL_HEAD_KEY);
  if (head !== undefined) genesis.journalHead = JournalHead.decode(head);
  return messageToJson("settled.bank.v1.GenesisState", genesis);
}

function textParts(key: Key): [string, string] {
  const start = keys.BALANCE_PREFIX.length;
  const end = start + 1 + key.charCodeAt(start);
  return [text(key.slice(start + 1, end)), text(key.slice(end))];
}

function text(part: string): string {
  return must(fromUtf8(bytesOfKey(part as Key)), "bank: a key holds text");
}
