import { Command } from "commander";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { toJson } from "../output.ts";
import { restCall, restUrl } from "../rest_call.ts";

/** `settled wallet …` */
export function walletCommand(io: Io): Command {
  const keplr = new Command("keplr")
    .description("print what Keplr, and wallets like it, take to add the chain of a running node")
    .option("--rest <url>", "REST address of the node (default: that of this home, else port 1317)")
    .addHelpText("after", examples("wallet keplr > chain.json"))
    .action(async (flags: { rest?: string }, self: Command) => {
      const context = contextOf(io, self);
      const chain = await restCall(await restUrl(context, flags.rest), "/chain.json");
      io.out(`${toJson(chain, context.format === "json" ? undefined : 2)}\n`);
    });
  return new Command("wallet").description("use the chain with wallets").addCommand(keplr);
}
