import { assert } from "../lib/assert.ts";
import { ChainError } from "../lib/errors.ts";
import { KeyMap } from "../lib/key_map.ts";
import { ErrTxDecode } from "../types/sdk_errors.ts";
import type { AppModule, MsgRoute } from "./module.ts";

/** All messages of all modules, by type URL. */
export class MsgRouter {
  readonly #routes = new KeyMap<MsgRoute>();

  constructor(modules: readonly AppModule[]) {
    for (const route of modules.flatMap(({ msgs }) => msgs)) {
      assert(!this.#routes.has(route.typeUrl), "message routed twice", { type: route.typeUrl });
      this.#routes.set(route.typeUrl, route);
    }
  }

  /** @throws ChainError sdk/2 for a type that no module handles. */
  route(typeUrl: string): MsgRoute {
    const route = this.#routes.get(typeUrl);
    if (route === undefined) {
      throw new ChainError(ErrTxDecode, `unable to resolve type URL ${typeUrl.slice(0, 200)}`);
    }
    return route;
  }
}
