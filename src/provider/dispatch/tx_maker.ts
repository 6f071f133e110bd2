import type { Signer } from "../../client/signer.ts";
import { buildTx } from "../../client/tx_builder.ts";
import { type GasPrice, messageGas } from "../gas.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import { signedReport } from "../reports.ts";
import { feeOfTx, messageBytes, type Outgoing } from "../tx_facts.ts";
import type { DispatchLimits } from "./limits.ts";

/** What a tx needs besides its messages. */
export interface TxPlace {
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  readonly timeoutHeight: bigint;
}

/** Records with their signed messages, as many as fit into one tx. */
export interface Load {
  readonly records: readonly OutboxRecord[];
  readonly items: readonly Outgoing[];
}

/** Signs the first of the records that fit into one tx together; at least one. */
export function loadOf(
  records: readonly OutboxRecord[],
  limits: Pick<DispatchLimits, "bytesPerTx" | "gasPerTx">,
  signer: Signer,
  chainId: string,
): Load {
  const items: Outgoing[] = [];
  let [bytes, gas] = [0, 0n];
  for (const record of records) {
    const item = { message: signedReport(record, signer, chainId), gas: messageGas("record") };
    bytes += messageBytes(item.message);
    gas += item.gas;
    const isFull = bytes > limits.bytesPerTx || gas > limits.gasPerTx;
    if (isFull && items.length > 0) break;
    items.push(item);
  }
  return { records: records.slice(0, items.length), items };
}

/** The signed tx of a load. */
export function makeTx(
  { items }: Load,
  place: TxPlace,
  signer: Signer,
  gas: { readonly price: GasPrice; readonly factor: bigint },
): Uint8Array {
  const messages = items.map(({ message }) => message);
  return buildTx({ ...place, messages, signer, fee: feeOfTx(items, gas.price, gas.factor) });
}
