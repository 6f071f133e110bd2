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
  derivedKeysOnly = false,
): Promise<string[]> {
  const checked: string[] = [];
  for (const invariant of modules.flatMap(({ fullInvariants }) => fullInvariants)) {
    if (derivedKeysOnly && invariant.isOfDerivedKeys !== true) continue;
    await invariant.check(reader, chain);
    checked.push(invariant.name);
  }
  return checked;
}
