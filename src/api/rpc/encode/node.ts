import type { NodeInfo, NodeStatus, ValidatorInfo } from "../../../node/view.ts";
import type { ProofOp, QueryOutput } from "../../../types/application.ts";
import { formatTime } from "../../../types/time.ts";
import type { Json, JsonObject } from "../json.ts";
import { base64, base64OrNull, hex } from "./bytes.ts";

/** @param listenAddress where the RPC listens, "tcp://127.0.0.1:26657" */
export function encodeStatus(
  info: NodeInfo,
  status: NodeStatus,
  listenAddress: string,
): JsonObject {
  const { validator } = info;
  return {
    node_info: {
      protocol_version: { p2p: "8", block: "11", app: "0" },
      id: info.nodeId,
      // Clients insist on an address; a node without peers has none that anybody could dial.
      listen_addr: "tcp://127.0.0.1:0",
      network: info.chainId,
      version: info.cometVersion,
      channels: "",
      moniker: info.moniker,
      other: { tx_index: "on", rpc_address: listenAddress },
    },
    sync_info: {
      latest_block_hash: hex(status.latestBlockHash),
      latest_app_hash: hex(status.latestAppHash),
      latest_block_height: String(status.latestHeight),
      latest_block_time: formatTime(status.latestTime),
      earliest_block_hash: hex(status.earliestBlockHash),
      earliest_app_hash: hex(status.earliestAppHash),
      earliest_block_height: String(status.earliestHeight),
      earliest_block_time: formatTime(status.earliestTime),
      // Ours: blocks are kept longer than the states that queries can reach.
      earliest_query_height: String(status.earliestQueryHeight),
      catching_up: false,
    },
    validator_info: {
      address: hex(validator.address),
      pub_key: encodePublicKey(validator),
      voting_power: String(validator.power),
    },
  };
}

export function encodePublicKey(validator: ValidatorInfo): JsonObject {
  return { type: "tendermint/PubKeyEd25519", value: base64(validator.publicKey) };
}

export function encodeValidator(validator: ValidatorInfo): JsonObject {
  return {
    address: hex(validator.address),
    pub_key: encodePublicKey(validator),
    voting_power: String(validator.power),
    proposer_priority: "0",
  };
}

/** The response of abci_query. A failed query is a code in it, not an error of JSON-RPC. */
export function encodeQuery(output: QueryOutput): JsonObject {
  return {
    code: output.code,
    log: output.log,
    info: "",
    index: "0",
    key: base64OrNull(output.key),
    value: base64OrNull(output.value),
    proofOps: encodeProofOps(output.proofOps),
    height: String(output.height),
    codespace: output.codespace,
  };
}

function encodeProofOps(ops: readonly ProofOp[] | undefined): Json {
  if (ops === undefined || ops.length === 0) return null;
  return {
    ops: ops.map(({ type, key, data }) => ({ type, key: base64(key), data: base64(data) })),
  };
}
