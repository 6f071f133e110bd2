import type { NodeEvent } from "../../../node/view.ts";
import { type JsonObject, LongList } from "../json.ts";
import { base64 } from "./bytes.ts";
import { encodeBlock, encodeBlockId, encodeHeader } from "./block.ts";
import { encodeEvents, encodeTxResult } from "./tx.ts";

/** The events of CometBFT that a subscriber can get. */
export type EventKind = "NewBlock" | "NewBlockHeader" | "NewBlockEvents" | "Tx";

/** The parts of a block that have events of their own in CometBFT. */
export type BlockPart = "NewBlockHeader" | "NewBlockEvents";

/** `data` of a subscription message. A block is shown as the part that was asked for, if any. */
export function encodeEventData(event: NodeEvent, part: BlockPart | undefined): JsonObject {
  const kind: EventKind = event.kind === "NewBlock" ? (part ?? event.kind) : event.kind;
  return { type: `tendermint/event/${kind}`, value: encodeValue(event, part) };
}

function encodeValue(event: NodeEvent, part: BlockPart | undefined): JsonObject {
  if (event.kind === "Tx") {
    const { height, index, tx, result } = event.tx;
    const fields = { height: String(height), index, tx: base64(tx) };
    return { TxResult: { ...fields, result: encodeTxResult(result) } };
  }
  const { block, results } = event;
  if (part === "NewBlockHeader") return { header: encodeHeader(block.header) };
  const events = encodeEvents(results.events);
  if (part === "NewBlockEvents") {
    return { height: String(block.header.height), events, num_txs: String(block.txs.length) };
  }
  return {
    block: encodeBlock(block),
    block_id: encodeBlockId(block.id),
    result_finalize_block: {
      events,
      tx_results: LongList.of(results.txResults, encodeTxResult),
      validator_updates: null,
      app_hash: base64(results.appHash),
    },
  };
}
