import { Command } from "commander";
import { completionScript, SHELLS } from "../completion_scripts.ts";
import { candidates } from "../complete.ts";
import { usageError } from "../cli_error.ts";
import { contextOf, openKeyring } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";

/** `settled completion <shell>` */
export function completionCommand(io: Io): Command {
  return new Command("completion")
    .argument("<shell>", SHELLS.join(", "))
    .description("print a script that completes commands, flags and names of keys")
    .addHelpText(
      "after",
      examples(
        "completion bash > ~/.local/share/bash-completion/completions/settled",
        'completion zsh > "${fpath[1]}/_settled"',
        "completion fish > ~/.config/fish/completions/settled.fish",
        "completion powershell >> $PROFILE",
      ),
    )
    .action((shell: string) => {
      const script = completionScript(shell);
      if (script === undefined) {
        throw usageError(`no completion for "${shell}"; there is: ${SHELLS.join(", ")}`);
      }
      io.out(script);
    });
}

/** The hidden command that those scripts call with the words typed so far. */
export function completeCommand(io: Io): Command {
  return new Command("__complete")
    .argument("[words...]")
    .allowUnknownOption()
    .action(async (words: string[], _flags: object, self: Command) => {
      const names = async () => {
        const { keyring } = await openKeyring(contextOf(io, self), {});
        return (await keyring.list()).map(({ name }) => name);
      };
      const program = self.parent ?? self;
      const found = await candidates(program, words, () => names().catch(() => []));
      io.out(found.map((each) => `${each}\n`).join(""));
    });
}
