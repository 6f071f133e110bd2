import { encodeStatus } from "./encode/node.ts";
import type { Json } from "./json.ts";
import type { RpcContext } from "./route.ts";

export function status(_: object, { view, listenAddress }: RpcContext): Json {
  return encodeStatus(view.info, view.status(), listenAddress);
}

export function health(): Json {
  return {};
}
