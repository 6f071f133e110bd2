import { wireBlock, wireBlockId } from "../../codec/tendermint.ts";
import * as wire from "../../gen/cosmos/base/tendermint/v1beta1/query.ts";
import type { Block as SdkBlock } from "../../gen/cosmos/base/tendermint/v1beta1/types.ts";
import { PubKey } from "../../gen/cosmos/crypto/ed25519/keys.ts";
import { encodeBech32 } from "../../lib/bech32.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import type { Pace } from "../../node/pace.ts";
import type { NodeView, StoredBlock } from "../../node/view.ts";
import type { HeavyQueue } from "../heavy_queue.ts";
import { checkHeight, keptBlock } from "./kept_block.ts";
import type { ServiceSettings } from "./service_settings.ts";
import { typedMethod } from "./typed_method.ts";
import { NEVER, STATUS, type UnaryCall, UnaryError, type UnaryMethod } from "./unary.ts";

const SERVICE = "cosmos.base.tendermint.v1beta1.Service";
const NAME = "settled";
/** Clients choose by it what they ask: these are the services of that version. */
const SDK_VERSION = "v0.50.0";

/** Blocks, validators and the node itself, as CometBFT's RPC tells them too. */
export function cometMethods(
  view: NodeView,
  settings: ServiceSettings,
  heavy: HeavyQueue,
): UnaryMethod[] {
  return [...blockMethods(view, heavy), ...validatorMethods(view), ...infoMethods(view, settings)];
}

function blockMethods(view: NodeView, heavy: HeavyQueue): UnaryMethod[] {
  const height = () => view.status().latestHeight;
  const answer = (asked: bigint, { signal, client }: UnaryCall) => {
    const work = async (pace: Pace) => blockResponse(view, await keptBlock(view, asked, pace));
    return heavy.run(work, signal ?? NEVER, client);
  };
  return [
    typedMethod({
      path: `${SERVICE}/GetLatestBlock`,
      request: wire.GetLatestBlockRequest,
      response: wire.GetLatestBlockResponse,
      height,
      handle: (_, call) => answer(view.status().latestHeight, call),
    }),
    typedMethod({
      path: `${SERVICE}/GetBlockByHeight`,
      request: wire.GetBlockByHeightRequest,
      response: wire.GetBlockByHeightResponse,
      height,
      handle: (request, call) => answer(request.height, call),
    }),
  ];
}

function validatorMethods(view: NodeView): UnaryMethod[] {
  const height = () => view.status().latestHeight;
  return [
    typedMethod({
      path: `${SERVICE}/GetLatestValidatorSet`,
      request: wire.GetLatestValidatorSetRequest,
      response: wire.GetLatestValidatorSetResponse,
      height,
      handle: ({ pagination }) => validatorSet(view, view.status().latestHeight, pagination),
    }),
    typedMethod({
      path: `${SERVICE}/GetValidatorSetByHeight`,
      request: wire.GetValidatorSetByHeightRequest,
      response: wire.GetValidatorSetByHeightResponse,
      height,
      handle: ({ height: asked, pagination }) => {
        checkHeight(view, asked);
        return validatorSet(view, asked, pagination);
      },
    }),
  ];
}

function infoMethods(view: NodeView, settings: ServiceSettings): UnaryMethod[] {
  const height = () => view.status().latestHeight;
  return [
    typedMethod({
      path: `${SERVICE}/GetNodeInfo`,
      request: wire.GetNodeInfoRequest,
      response: wire.GetNodeInfoResponse,
      height,
      handle: () => nodeInfo(view, settings),
    }),
    typedMethod({
      path: `${SERVICE}/GetSyncing`,
      request: wire.GetSyncingRequest,
      response: wire.GetSyncingResponse,
      height,
      handle: () => ({ syncing: false }),
    }),
    {
      path: `${SERVICE}/ABCIQuery`,
      handle: (bytes, call) => abciQuery(view, bytes, call),
    },
  ];
}

function blockResponse(view: NodeView, stored: StoredBlock): wire.GetLatestBlockResponse {
  const block = wireBlock(stored);
  const { header, data, evidence, lastCommit } = block;
  const proposerAddress = consensusAddress(view, header.proposerAddress);
  const sdkBlock: SdkBlock = {
    header: { ...header, proposerAddress },
    data,
    evidence,
    lastCommit,
  };
  return { blockId: wireBlockId(stored.id), block, sdkBlock };
}

function consensusAddress(view: NodeView, address: Uint8Array): string {
  return encodeBech32(`${view.info.bech32Prefix}valcons`, address);
}

/** The one validator, which a page may leave out. */
function validatorSet(
  view: NodeView,
  blockHeight: bigint,
  page: { readonly offset: bigint } | undefined,
): wire.GetLatestValidatorSetResponse {
  const { address, publicKey: key, power } = view.info.validator;
  const validator: wire.Validator = {
    address: consensusAddress(view, address),
    pubKey: {
      typeUrl: "/cosmos.crypto.ed25519.PubKey",
      value: PubKey.encode({ key }).finish(),
    },
    votingPower: power,
    proposerPriority: 0n,
  };
  const validators = (page?.offset ?? 0n) === 0n ? [validator] : [];
  return { blockHeight, validators, pagination: { nextKey: EMPTY_BYTES, total: 1n } };
}

function nodeInfo({ info }: NodeView, { rpcUrl = "" }: ServiceSettings): wire.GetNodeInfoResponse {
  return {
    defaultNodeInfo: {
      protocolVersion: { p2p: 8n, block: 11n, app: 0n },
      defaultNodeId: info.nodeId,
      // As in `status` of the RPC: a node without peers has no address that anybody could dial.
      listenAddr: "tcp://127.0.0.1:0",
      network: info.chainId,
      version: info.cometVersion,
      channels: EMPTY_BYTES,
      moniker: info.moniker,
      other: { txIndex: "on", rpcAddress: rpcUrl.replace(/^http:/, "tcp:") },
    },
    applicationVersion: {
      name: NAME,
      appName: NAME,
      version: info.appVersion,
      gitCommit: "",
      buildTags: "",
      goVersion: "",
      buildDeps: [],
      cosmosSdkVersion: SDK_VERSION,
    },
  };
}

/** A query as CometBFT's RPC takes it; its failure is a code in the answer. */
async function abciQuery(view: NodeView, bytes: Uint8Array, call: UnaryCall) {
  let request: wire.ABCIQueryRequest;
  try {
    request = wire.ABCIQueryRequest.decode(bytes);
  } catch (error) {
    throw new UnaryError(STATUS.invalidArgument, `request does not decode: ${String(error)}`);
  }
  const { path, data, prove } = request;
  if (path === "") throw new UnaryError(STATUS.invalidArgument, "path is empty");
  const height = request.height === 0n ? call.height : request.height;
  if (height < 0n) throw new UnaryError(STATUS.invalidArgument, "height is negative");
  const output = await view.query({ path, data, height, prove });
  const { code, codespace, log, key, value, proofOps } = output;
  const response: wire.ABCIQueryResponse = {
    ...{ code, codespace, log, info: "", index: 0n, key, value, height: output.height },
    proofOps: proofOps === undefined ? undefined : { ops: [...proofOps] },
  };
  return { value: wire.ABCIQueryResponse.encode(response).finish(), height: output.height };
}
