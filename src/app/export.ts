import type { AppModule } from "../baseapp/module.ts";
import type { Reader } from "../store/read_view.ts";

/** The genesis JSON of all modules, by name. */
export async function exportModules(
  modules: readonly AppModule[],
  reader: Reader,
): Promise<Record<string, unknown>> {
  const appState: Record<string, unknown> = {};
  for (const module of modules) appState[module.name] = await module.exportGenesis(reader);
  return appState;
}
