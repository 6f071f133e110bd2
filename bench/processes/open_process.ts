import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { QueryUsageRecordRequest } from "../../src/gen/virtengine/settlement/v1/query.ts";
import type { OpenReport } from "../figures/open_home.ts";
import { collectGarbage } from "../harness/bench.ts";
import { cycled } from "../world/accounts.ts";
import { readNote, startHome } from "../world/home.ts";
import { runChild } from "./child.ts";

/** Opens a home as a node does, asks for records, and tells what it took. */
await runChild(async (input: { home: string; queries: number }): Promise<OpenReport> => {
  const started = performance.now();
  const node = await startHome(input.home);
  const seconds = (performance.now() - started) / 1000;
  const ids = (await readNote(input.home))?.usageIds ?? [];
  for (let at = 0; at < input.queries; at += 1) {
    const usageId = cycled(ids, at * 7919);
    const answer = await node.view.query({
      path: "/virtengine.settlement.v1.Query/UsageRecord",
      data: QueryUsageRecordRequest.encode({ usageId }).finish(),
      ...{ height: 0n, prove: false },
    });
    if (answer.code !== 0) throw new Error(answer.log);
  }
  collectGarbage();
  await sleep(200);
  const residentBytes = process.memoryUsage.rss();
  await node.stop();
  return { seconds, residentBytes };
});
