import { Command } from "commander";
import { connect, contextOf, type NodeFlags, withNodeFlag } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";

/** `settled status` */
export function statusCommand(io: Io): Command {
  return withNodeFlag(new Command("status").description("show what a running node says of itself"))
    .addHelpText("after", examples("status", "status --node http://127.0.0.1:26657 -o json"))
    .action(async (flags: NodeFlags, self: Command) => {
      const context = contextOf(io, self);
      const client = await connect(context, flags);
      const status = await client.status();
      printResult(io, context.format, {
        ...{ chain_id: status.chainId, moniker: status.moniker, version: status.nodeVersion },
        ...{ rpc: client.rpc.url, latest_height: status.latestHeight },
        ...{ latest_time: status.latestTime, latest_block_hash: status.latestBlockHash },
        ...{ latest_app_hash: status.latestAppHash, earliest_height: status.earliestHeight },
        earliest_query_height: status.earliestQueryHeight,
        catching_up: status.catchingUp,
      });
    });
}
