import process from "node:process";
import { Command } from "commander";
import { signingCurve } from "../../client/native_secp256k1.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { packageVersion } from "../version.ts";

/** `settled version` */
export function versionCommand(io: Io): Command {
  return new Command("version")
    .description("show the version of this program")
    .option("--long", "show what it runs on as well")
    .addHelpText("after", examples("version", "version --long -o json"))
    .action((flags: { long?: boolean }, self: Command) => {
      const { format } = contextOf(io, self);
      const version = packageVersion();
      if (flags.long !== true) {
        return printResult(io, format, { version }, (it: { version: string }) => it.version);
      }
      printResult(io, format, {
        ...{ name: "settled", version, node: process.versions.node },
        ...{ platform: `${process.platform}-${process.arch}`, signing: signingCurve().name },
      });
    });
}
