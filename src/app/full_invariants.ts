import type { ChainInfo } from "../baseapp/context.ts";
import type { AppModule } from "../baseapp/module.ts";
import type { Reader } from "../store/read_view.ts";

/**
 * Checks every invariant over the whole state and returns their names.
 * @throws InvariantError with module, key and both amounts.
 */
export async function checkFullInvariants(
  modules: readonly AppModule[],
  reader: Reader,
  chain: ChainInfo,
): Promise<string[]> {
  const checked: string[] = [];
  for (const invariant of modules.flatMap(({ fullInvariants }) => fullInvariants)) {
    await invariant.check(reader, chain);
    checked.push(invariant.name);
  }
  return checked;
}
