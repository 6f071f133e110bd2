import { readFile } from "node:fs/promises";
import type { Fee, TxContent } from "../client/tx_builder.ts";
import { encodeBody } from "../client/tx_builder.ts";
import { encodePartial } from "../client/wire.ts";
import { messageFromJson, messageToJson } from "../codec/proto_json.ts";
import { AuthInfo, Tx, TxBody, TxRaw } from "../gen/cosmos/tx/v1beta1/tx.ts";
import { usageError } from "./cli_error.ts";
import type { Io } from "./io.ts";

const NAME = "cosmos.tx.v1beta1.Tx";

/** An unsigned tx in the JSON form that other Cosmos tools read and sign. */
export function unsignedTxJson(content: TxContent, fee: Fee): unknown {
  const body = TxBody.decode(encodeBody(content));
  const authInfo = AuthInfo.fromPartial({
    fee: { amount: fee.amount.map((coin) => ({ ...coin })), gasLimit: fee.gasLimit },
  });
  return messageToJson(NAME, { body, authInfo, signatures: [] });
}

/** A signed tx in the same form. */
export function signedTxJson(tx: Uint8Array): unknown {
  return messageToJson(NAME, Tx.decode(tx));
}

/** Reads a tx in JSON form from a file, or from stdin for "-". */
export async function readTxFile(io: Io, path: string): Promise<Tx> {
  const text = path === "-" ? await io.readStdin() : await readFile(path, "utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw usageError(`${path}: expected a tx as JSON`, "settled tx … --generate-only > tx.json");
  }
  try {
    return messageFromJson<Tx>(NAME, json);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usageError(`${path}: not a tx: ${why}`);
  }
}

/** TxRaw bytes of a signed tx. The bytes are those that were signed if this program wrote the file. */
export function rawOfTx(tx: Tx): Uint8Array {
  if (tx.body === undefined || tx.authInfo === undefined || tx.signatures.length === 0) {
    throw usageError("the tx is not signed", "settled tx sign FILE --from KEY > signed.json");
  }
  return encodePartial(TxRaw, {
    bodyBytes: TxBody.encode(tx.body).finish(),
    authInfoBytes: AuthInfo.encode(tx.authInfo).finish(),
    signatures: tx.signatures,
  });
}
