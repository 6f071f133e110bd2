import type { DoorMetrics, RequestClass } from "../../node/metrics.ts";
import { TurnsError } from "../heavy_queue.ts";
import type { Services } from "./services.ts";
import type { UnaryMethod } from "./unary.ts";
import { refusalOf } from "./unary_error_of.ts";

/** The same methods, with every call told to `metrics` under the name of the door. */
export function measured(services: Services, door: string, metrics: DoorMetrics): Services {
  const measure = (method: UnaryMethod): UnaryMethod => {
    const kind = unaryClassOf(method.path);
    return {
      path: method.path,
      handle: async (request, call) => {
        const ended = metrics.began(door, kind);
        try {
          const answer = await method.handle(request, call);
          ended("ok");
          return answer;
        } catch (error) {
          // A caller who has gone is no fault of the node.
          if (error instanceof TurnsError) metrics.refused(door, "turns");
          const isFault = refusalOf(error) === undefined && call.signal?.aborted !== true;
          ended(isFault ? "failed" : "refused");
          throw error;
        }
      },
    };
  };
  return new Map([...services].map(([path, method]) => [path, measure(method)]));
}

/** What kind of work a method is, for counts. @param path "cosmos.tx.v1beta1.Service/Simulate" */
export function unaryClassOf(path: string): RequestClass {
  const [service = "", name = ""] = path.split("/", 2);
  if (name === "Simulate" || name === "BroadcastTx") return "tx";
  if (name === "GetTxsEvent" || name === "GetBlockWithTxs") return "search";
  return service.endsWith(".Query") || name === "ABCIQuery" ? "query" : "read";
}
