import { Metadata, type handleUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { runUnary } from "../services/run_unary.ts";
import type { Services } from "../services/services.ts";
import { STATUS, UnaryError } from "../services/unary.ts";
import type { Connections } from "./connections.ts";
import { askedHeight, HEIGHT_HEADER } from "./height_header.ts";
import type { GrpcLimit, GrpcLimits } from "./limits.ts";
import { statusText } from "./status_text.ts";

interface UnaryDoor {
  readonly services: Services;
  readonly limits: GrpcLimits;
  readonly connections: Connections;
  readonly report: (error: unknown) => void;
  /** Told when a limit has turned somebody away. */
  readonly refused: (limit: GrpcLimit) => void;
}

/** Bytes in, bytes out: the handler of one method of the table. */
export function unaryHandler(
  { services, limits, connections, report, refused }: UnaryDoor,
  path: string,
): handleUnaryCall<Uint8Array, Uint8Array> {
  return (call, callback) => {
    const gone = new AbortController();
    const answer = once(callback);
    const fail = (error: UnaryError) =>
      answer({ code: error.status, details: statusText(error.message) });
    const late = setTimeout(() => {
      refused("time");
      fail(new UnaryError(STATUS.deadlineExceeded, `no answer within ${limits.callMs} ms`));
      gone.abort();
    }, limits.callMs);
    call.on("cancelled", () => gone.abort());
    const [asked] = call.metadata.get(HEIGHT_HEADER);
    const run = async () => {
      const height = askedHeight(asked?.toString());
      const client = connections.clientOf(call.getPeer());
      const context = { height, signal: gone.signal, client, report };
      const { value, height: of } = await runUnary(services, path, call.request, context);
      connections.assertRoom(call.getPeer(), value.length);
      if (gone.signal.aborted) return;
      const metadata = new Metadata();
      metadata.set(HEIGHT_HEADER, String(of));
      call.sendMetadata(metadata);
      answer(null, value);
    };
    run()
      .catch((error: unknown) => {
        if (error instanceof UnaryError) return fail(error);
        report(error);
        return fail(new UnaryError(STATUS.internal, "internal error"));
      })
      .finally(() => clearTimeout(late));
  };
}

/** Whatever comes after the first answer is nobody's any more. */
function once(callback: sendUnaryData<Uint8Array>): sendUnaryData<Uint8Array> {
  let isDone = false;
  return (...answer) => {
    if (isDone) return;
    isDone = true;
    callback(...answer);
  };
}
