import { configKey, type NodeConfig, resolveConfig } from "../node/config.ts";

/** Settings from the environment: SETTLED_RPC_PORT for rpc_port. Flags win over them. */
export function configFromEnv(
  env: Readonly<Record<string, string | undefined>>,
): Partial<Record<keyof NodeConfig, string>> {
  const names = Object.keys(resolveConfig({})) as (keyof NodeConfig)[];
  const given: Partial<Record<keyof NodeConfig, string>> = {};
  for (const name of names) {
    const value = env[`SETTLED_${configKey(name).toUpperCase()}`];
    if (value !== undefined && value !== "") given[name] = value;
  }
  return given;
}
