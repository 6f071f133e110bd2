import { SERVICES } from "../../gen/schema.ts";
import type { NodeView } from "../../node/view.ts";
import { HeavyQueue } from "../heavy_queue.ts";
import { cometMethods } from "./comet_service.ts";
import { effectsMethods } from "./effects_service.ts";
import { nodeMethods } from "./node_service.ts";
import { queryMethod } from "./query_method.ts";
import type { ServiceSettings } from "./service_settings.ts";
import type { Services } from "./services.ts";
import { txMethods } from "./tx_service.ts";
import { txReadMethods } from "./tx_reads.ts";
import { NEVER, type UnaryMethod } from "./unary.ts";

/** Methods that read whole blocks, or search, at the same time: of all callers together. */
const HEAVY_CALLS = 4;

/** Services that no table of unary methods has: CometBFT's socket, and what a gRPC door adds. */
const OF_A_DOOR = /^(tendermint\.abci|grpc)\./;

const DEFAULTS: ServiceSettings = { minimumGasPrice: "0", keepHistory: "all" };

/**
 * The methods of all services but those of messages, which travel in txs. Doors call them through
 * `runUnary`. What the node does not answer itself it asks the app.
 * @param heavy where long work takes turns with that of other doors; none: of these methods alone
 */
export function openServices(
  view: NodeView,
  settings: ServiceSettings = DEFAULTS,
  heavy = new HeavyQueue(HEAVY_CALLS),
): Services {
  const own = [
    ...txMethods(view),
    ...txReadMethods(view, heavy),
    ...effectsMethods(view),
    ...cometMethods(view, settings, heavy),
    ...nodeMethods(view, settings),
  ];
  const services = new Map(own.map((method) => [method.path, method]));
  for (const { name: service, isMsg, methods } of SERVICES) {
    if (isMsg === true || OF_A_DOOR.test(service)) continue;
    for (const { name } of methods) {
      const path = `${service}/${name}`;
      if (services.has(path)) continue;
      services.set(path, queryMethod(view, path));
    }
  }
  return new Map([...services].map(([path, method]) => [path, inTurns(method, heavy)]));
}

/** The same method, whose calls wait while their client rests: see `HeavyQueue.short`. */
function inTurns({ path, handle }: UnaryMethod, heavy: HeavyQueue): UnaryMethod {
  return {
    path,
    handle: async (request, call) =>
      heavy.short(() => handle(request, call), call.signal ?? NEVER, call.client),
  };
}
