import { Command } from "commander";
import { configKey, configPath, type NodeConfig, readConfig } from "../../node/config.ts";
import { contextOf } from "../context.ts";
import { configFromEnv } from "../config_env.ts";
import { examples } from "../help.ts";
import { readJsonFile } from "../home.ts";
import type { Io } from "../io.ts";
import { printList, printResult } from "../output.ts";

/** `settled config show` */
export function configCommand(io: Io): Command {
  const show = new Command("show")
    .description("the settings that `settled start` would use")
    .option("--origin", "say where each setting comes from")
    .addHelpText("after", examples("config show", "config show --origin"))
    .action(async (flags: { origin?: boolean }, self: Command) => {
      const context = contextOf(io, self);
      const fromEnv = configFromEnv(io.env);
      const config = await readConfig(context.home, fromEnv);
      const path = configPath(context.home);
      const file = ((await readJsonFile(path)) ?? {}) as Record<string, unknown>;
      const rows = (Object.keys(config) as (keyof NodeConfig)[]).map((name) => ({
        key: configKey(name),
        value: config[name],
        origin: originOf(name, fromEnv, file, path),
      }));
      if (flags.origin !== true) {
        const settings = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
        return printResult(io, context.format, settings);
      }
      printList(io, context.format, rows, [
        { title: "SETTING", text: ({ key }) => key, keep: true },
        { title: "VALUE", text: ({ value }) => String(value) },
        { title: "FROM", text: ({ origin }) => origin },
      ]);
    });
  return new Command("config").description("settings of this home").addCommand(show);
}

function originOf(
  name: keyof NodeConfig,
  fromEnv: Partial<Record<keyof NodeConfig, unknown>>,
  file: Record<string, unknown>,
  path: string,
): string {
  if (fromEnv[name] !== undefined) return `SETTLED_${configKey(name).toUpperCase()}`;
  return file[configKey(name)] === undefined ? "default" : path;
}
