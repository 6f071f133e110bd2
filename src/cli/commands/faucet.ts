import { Command } from "commander";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { restCall, restUrl } from "../rest_call.ts";
import { valueContext } from "../value_context.ts";

/** `settled faucet ADDRESS` */
export function faucetCommand(io: Io): Command {
  return new Command("faucet")
    .description("get coins from the faucet of a dev chain, and wait for them")
    .argument("<address>", "who gets them: an address, or the name of a key")
    .option("--denom <denom>", "of the coins (default: the bond denom)")
    .option("--rest <url>", "REST address of the node (default: that of this home, else port 1317)")
    .addHelpText("after", examples("faucet customer-1", "faucet customer-1 --denom uusd"))
    .action(async (who: string, flags: { denom?: string; rest?: string }, self: Command) => {
      const context = contextOf(io, self);
      const { denom } = flags;
      const address = (await valueContext(context)).address(who);
      const body = denom === undefined ? { address } : { address, denom };
      const url = await restUrl(context, flags.rest);
      printResult(io, context.format, await restCall(url, "/faucet", body));
    });
}
