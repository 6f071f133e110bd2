import { Command } from "commander";
import type { RetryChoice } from "../../provider/daemon/desk.ts";
import { usageError } from "../cli_error.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { atDesk } from "../provider_home.ts";

const KEY = "key of the record, as `settled provider windows -o json` shows it";

interface RetryFlags {
  all?: boolean;
  order?: string;
}

/** `settled provider retry` */
export function providerRetryCommand(io: Io): Command {
  return new Command("retry")
    .argument("[key]", KEY)
    .description("send records again that were refused or parked")
    .option("--all", "all of them")
    .option("--order <id>", "all of this order")
    .addHelpText(
      "after",
      examples(
        "provider retry --order order-1",
        "provider retry order-1/lease-1/01767225600/01767229200/cpu",
      ),
    )
    .action(async (key: string | undefined, flags: RetryFlags, self: Command) => {
      const context = contextOf(io, self);
      const choice = choiceOf(key, flags);
      const count = await atDesk(context, (desk) => desk.retry(choice));
      printResult(io, context.format, { count }, () => `${count} records go again\n`);
    });
}

function choiceOf(key: string | undefined, { all, order }: RetryFlags): RetryChoice {
  const given = [key, all, order].filter((each) => each !== undefined).length;
  if (given !== 1) throw usageError("retry takes one of KEY, --all and --order ID");
  return key === undefined ? { order } : { key };
}

/** `settled provider park` */
export function providerParkCommand(io: Io): Command {
  return new Command("park")
    .argument("<key>", KEY)
    .description("take a record out of the queue, until it is retried")
    .requiredOption("--reason <text>", "why; kept with the record")
    .addHelpText(
      "after",
      examples(
        'provider park order-1/lease-1/01767225600/01767229200/cpu --reason "waived, ticket 7"',
      ),
    )
    .action(async (key: string, { reason }: { reason: string }, self: Command) => {
      const context = contextOf(io, self);
      const row = await atDesk(context, (desk) => desk.park(key, reason));
      printResult(io, context.format, row, () => `parked ${row.key}\n`);
    });
}
