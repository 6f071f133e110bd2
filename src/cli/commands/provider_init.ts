import { Command } from "commander";
import { settingsPath } from "../../provider/daemon/settings.ts";
import { writeFileAtomic } from "../atomic_file.ts";
import { CliError } from "../cli_error.ts";
import { type Context, contextOf, nodeUrl, openKeyring, withNodeFlag } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { type ConfigFlags, withConfigFlag } from "../provider_home.ts";

interface InitFlags extends ConfigFlags {
  from?: string;
  example?: boolean;
  schema?: boolean;
}

const HEADER = `# Settings of \`settled provider start\`. What is left out has the value shown here.
# \`settled provider doctor\` checks them; docs/guides/provider-daemon.md explains them by task.

`;

/** Prices to begin with: those of examples/prices.json. */
const PRICES = {
  default: {
    ...{ cpu: "1500uve", memory: "187.5uve", storage: "4.25uve" },
    ...{ gpu: "36000uve", network: "2250.5uve" },
  },
};

const EXAMPLE = {
  name: "this-machine",
  order: "order-1",
  lease: "lease-1",
  collectors: [{ kind: "process", pid: 1, memory: "resident" }],
};

/** `settled provider init` */
export function providerInitCommand(io: Io): Command {
  const command = new Command("init")
    .description("write the settings of the daemon, with a comment on each")
    .option(
      "--from <key>",
      "name or address of the provider's key (default: the one that there is)",
    )
    .option("--example", "with a workload: all processes of this machine, for order-1/lease-1")
    .option("--schema", "instead: print the JSON schema of the settings, for editors");
  return withConfigFlag(withNodeFlag(command))
    .addHelpText("after", examples("provider init", "provider init --from provider-1 --example"))
    .action(async (flags: InitFlags, self: Command) => {
      const context = contextOf(io, self);
      if (flags.schema === true) return io.out(await settingsSchema());
      const file = flags.config ?? settingsPath(context.home);
      const [{ settingsText }, { SETTINGS }] = await Promise.all([
        import("../../provider/daemon/settings_text.ts"),
        import("../../provider/daemon/settings_table.ts"),
      ]);
      const text =
        HEADER +
        settingsText(SETTINGS, {
          nodes: [await nodeUrl(context, flags)],
          key: { name: flags.from ?? (await onlyKey(context)) },
          prices: PRICES,
          ...(flags.example === true ? { workloads: [EXAMPLE] } : {}),
        });
      await write(file, text);
      const next = "settled provider doctor, then settled provider start";
      printResult(io, context.format, { file }, () => `wrote ${file}\n  next: ${next}\n`);
    });
}

/** The JSON schema of the settings, as docs/provider.schema.json has it. */
export async function settingsSchema(): Promise<string> {
  const [{ schemaOf }, { SETTINGS }] = await Promise.all([
    import("../../provider/daemon/settings_schema.ts"),
    import("../../provider/daemon/settings_table.ts"),
  ]);
  const schema = schemaOf(SETTINGS, "Settings of the provider daemon of Settled");
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** The only key, or the only one whose role is provider; else a name to replace. */
async function onlyKey(context: Context): Promise<string> {
  const { keyring } = await openKeyring(context, {});
  const keys = await keyring.list();
  const providers = keys.filter(({ role }) => role === "provider");
  const [key] = providers.length > 0 ? providers : keys.length === 1 ? keys : [];
  return key?.name ?? "provider-1";
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(file, text, { mode: 0o600, overwrite: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new CliError(EXIT.other, "config_exists", `${file} is there already`, {
      hint: "edit it, or give another name with --config FILE",
    });
  }
}
