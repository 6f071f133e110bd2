import { Command } from "commander";
import { readConfig } from "../../node/config.ts";
import { nodeCrypto } from "../../node/crypto_native.ts";
import { genesisJson, writeGenesisFile } from "../../node/genesis_file.ts";
import { openHome } from "../../node/home.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { loadOpenApp } from "../open_app.ts";

/** `settled export` */
export function exportCommand(io: Io): Command {
  return new Command("export")
    .description("print the state of the last block as a genesis file; the node must be stopped")
    .option("--out <file>", "write it there instead")
    .addHelpText("after", examples("export > genesis.json", "export --out genesis.json"))
    .action(async (flags: { out?: string }, self: Command) => {
      const context = contextOf(io, self);
      const genesis = await exportHome(context.home);
      if (flags.out === undefined) return io.out(`${JSON.stringify(genesis, undefined, 2)}\n`);
      await writeGenesisFile(flags.out, genesis);
      printResult(io, context.format, { written: flags.out });
    });
}

async function exportHome(home: string): Promise<unknown> {
  const config = await readConfig(home);
  const openApp = await loadOpenApp();
  const open = await openHome(home, config, undefined);
  try {
    const { genesis, db } = open;
    const app = await openApp({ db, crypto: nodeCrypto(), config, genesis: genesis.doc });
    const doc = await app.exportGenesis();
    return genesisJson({ doc, block: genesis.block, appHash: app.info().appHash });
  } finally {
    await open.close();
  }
}
