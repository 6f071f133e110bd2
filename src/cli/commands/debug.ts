import { Command } from "commander";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { codecLine } from "../debug_codec.ts";

/** `settled debug …` */
export function debugCommand(io: Io): Command {
  const codec = new Command("codec")
    .description("translate messages between protobuf bytes and JSON, a line each, from stdin")
    .addHelpText(
      "after",
      `
Each line is {"type_url", "hex"} or {"type_url", "json"}; it is written again with the missing form
added. A line that cannot be translated gets an "error" field, and the next line goes on. Fields are
in one form exactly when they are in the other, defaults included.
${examples(`debug codec <<< '{"type_url":"/cosmos.base.v1beta1.Coin","hex":"0a03757665"}'`)}`,
    )
    .action(async () => {
      for await (const line of io.stdinLines()) {
        if (line.trim() !== "") io.out(`${codecLine(line)}\n`);
      }
    });
  return new Command("debug").description("tools for those who write clients").addCommand(codec);
}
