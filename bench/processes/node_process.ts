import { once } from "node:events";
import process from "node:process";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { startChain } from "../../src/cli/running_chain.ts";
import { silentLog } from "../../src/node/log.ts";
import { benchConfig } from "../world/home.ts";
import { runChild, tell } from "./child.ts";

/** A node as `settled start` runs it, until the parent lets go of it. */
const run = async ({ home }: { home: string }) => {
  const openApp = await loadOpenApp();
  const chain = await startChain({ home, config: benchConfig(), log: silentLog, openApp });
  tell({ type: "ready", url: chain.report.endpoints.rpc });
  await once(process, "disconnect");
  await chain.stop();
};

await runChild(run, { endsWithParent: false });
