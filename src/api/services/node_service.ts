import { wireTime } from "../../codec/tendermint.ts";
import * as wire from "../../gen/cosmos/base/node/v1beta1/query.ts";
import { validatorsHash } from "../../node/comet/validators_hash.ts";
import type { NodeView } from "../../node/view.ts";
import type { ServiceSettings } from "./service_settings.ts";
import { typedMethod } from "./typed_method.ts";
import type { UnaryMethod } from "./unary.ts";

const SERVICE = "cosmos.base.node.v1beta1.Service";

/** What the operator has set, and how far the node is. */
export function nodeMethods(view: NodeView, settings: ServiceSettings): UnaryMethod[] {
  const height = () => view.status().latestHeight;
  return [
    typedMethod({
      path: `${SERVICE}/Config`,
      request: wire.ConfigRequest,
      response: wire.ConfigResponse,
      height,
      handle: () => config(settings),
    }),
    typedMethod({
      path: `${SERVICE}/Status`,
      request: wire.StatusRequest,
      response: wire.StatusResponse,
      height,
      handle: () => status(view),
    }),
  ];
}

/** 0 and 0: everything is kept, in the Cosmos SDK's way of saying it. */
function config({ minimumGasPrice, keepHistory }: ServiceSettings): wire.ConfigResponse {
  const [recent, interval] = keepHistory === "all" ? ["0", "0"] : [String(keepHistory), "1"];
  return {
    minimumGasPrice,
    pruningKeepRecent: recent,
    pruningInterval: interval,
    haltHeight: 0n,
  };
}

function status(view: NodeView): wire.StatusResponse {
  const { latestHeight, latestTime, latestAppHash, earliestQueryHeight } = view.status();
  return {
    earliestStoreHeight: earliestQueryHeight,
    height: latestHeight,
    timestamp: wireTime(latestTime),
    appHash: latestAppHash,
    validatorHash: validatorsHash([view.info.validator]),
  };
}
