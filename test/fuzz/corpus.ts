import fc from "fast-check";
import {
  type MessageType,
  messageTypeNamed,
  messageTypeOfUrl,
} from "../../src/codec/message_types.ts";
import { AuthInfo, TxBody, TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { MESSAGES, SERVICES } from "../../src/gen/schema.ts";
import { must } from "../../src/lib/assert.ts";
import type { Random } from "../simulation/random.ts";
import { messageOf } from "../unit/codec/arbitraries.ts";

/** A message type, with encoded messages of it. */
export interface Sampled {
  readonly type: MessageType;
  readonly samples: readonly Uint8Array[];
}

const SAMPLES = 3;

/** Valid encodings of every message of the wire contract. */
export function messageCorpus(seed: number): readonly Sampled[] {
  return MESSAGES.map(({ name }) => {
    const type = messageTypeNamed(name);
    const values = fc.sample(messageOf(type), { seed, numRuns: SAMPLES });
    const samples = values.map((value) => Uint8Array.from(type.codec.encode(value).finish()));
    return { type, samples };
  });
}

/** Txs of every message that a tx may carry, well formed and signed by nobody. */
export function txCorpus(messages: readonly Sampled[]): readonly Uint8Array[] {
  const byName = new Map(messages.map((each) => [each.type.name, each]));
  const publicKey = packed("/cosmos.crypto.secp256k1.PubKey", { key: new Uint8Array(33).fill(2) });
  const fee = { amount: [{ denom: "uve", amount: "500" }], gasLimit: 200_000n };
  const authInfoBytes = AuthInfo.encode(
    AuthInfo.fromPartial({
      signerInfos: [{ publicKey, modeInfo: { single: { mode: 1 } }, sequence: 7n }],
      fee,
    }),
  ).finish();
  const inputs = SERVICES.filter(({ isMsg }) => isMsg === true).flatMap(({ methods }) =>
    methods.map(({ input }) => input),
  );
  return inputs.map((name) => {
    const { samples } = must(byName.get(name), `samples of ${name}`);
    const body = TxBody.fromPartial({
      messages: samples.map((value) => ({ typeUrl: `/${name}`, value })),
      ...{ memo: "naïve ✓", timeoutHeight: 9n },
    });
    const bodyBytes = TxBody.encode(body).finish();
    const signatures = [new Uint8Array(64).fill(9)];
    return Uint8Array.from(TxRaw.encode({ bodyBytes, authInfoBytes, signatures }).finish());
  });
}

function packed(typeUrl: string, value: object) {
  const { codec } = must(messageTypeOfUrl(typeUrl), typeUrl);
  return { typeUrl, value: codec.encode(codec.fromPartial(value)).finish() };
}

export const QUERIES: readonly string[] = [
  "tm.event='Tx'",
  "tm.event = 'NewBlock' AND block.height >= 1",
  "tx.hash='5CB2CF94A1097A4BC19258BC2353C3E76102B6D528458BE45C855DC5563C1DB2'",
  "transfer.sender='ve1a' AND transfer.amount > 7.50 AND tx.height <= 100",
  "message.action CONTAINS 'Usage' and usage.units EXISTS",
  "settled.at >= TIME 2026-01-02T15:04:05.123456789Z AND settled.day = DATE 2026-01-02",
  `${"a.b=1 AND ".repeat(48)}a.b=1`,
  "block.height > 0 AND block.height < 9223372036854775807",
];

const TEXTS = [
  ...QUERIES,
  ...["/cosmos.bank.v1beta1.Query/AllBalances", "/cosmos.auth.v1beta1.Query/Params", "/store/x"],
  ...["/cosmos.tx.v1beta1.Service/Simulate", "asc", "desc", "", "up"],
];

/** A value that a parameter of a kind may have: mostly a right one. */
export function paramValue(random: Random, kind: string, bytes: Uint8Array): unknown {
  if (random.chance(15)) return random.pick([null, true, -1, 1.5, 2 ** 60, [], {}, "x", "9e9"]);
  const buffer = Buffer.from(bytes);
  switch (kind) {
    case "int":
      return random.pick(["1", "2", 1, 0, "-1", "100", 30, "9223372036854775807", "007"]);
    case "flag":
      return random.pick([true, false, "true", "false"]);
    case "base64":
      return buffer.toString("base64");
    case "hex":
      return buffer.toString("hex");
    case "hash":
      return buffer.subarray(0, 32).toString(random.pick(["hex", "base64"]));
    case "time":
      return random.pick(["2026-01-01T00:00:00Z", "1767225600000000000", "0"]);
    default:
      return random.pick(TEXTS);
  }
}
