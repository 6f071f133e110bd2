import { assert } from "../lib/assert.ts";
import { ChainError } from "../lib/errors.ts";
import { KeyMap } from "../lib/key_map.ts";
import { ErrUnknownRequest } from "../types/sdk_errors.ts";
import type { AppModule, QueryRoute } from "./module.ts";

/** All queries of all modules, by "/service/Method": one registry feeds every door. */
export class QueryRouter {
  readonly #routes = new KeyMap<QueryRoute>();

  constructor(modules: readonly AppModule[]) {
    for (const route of modules.flatMap(({ queries }) => queries)) {
      assert(!this.#routes.has(route.path), "query routed twice", { path: route.path });
      this.#routes.set(route.path, route);
    }
  }

  get paths(): readonly string[] {
    return this.#routes.sortedKeys();
  }

  /** @throws ChainError sdk/6 for a path that nobody answers. */
  route(path: string): QueryRoute {
    const route = this.#routes.get(path);
    if (route === undefined) {
      throw new ChainError(ErrUnknownRequest, `unknown query path ${path.slice(0, 200)}`);
    }
    return route;
  }
}
