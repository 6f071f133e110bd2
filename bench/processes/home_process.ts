import { buildHome } from "../world/build_home.ts";
import { runChild, tell } from "./child.ts";

await runChild(async ({ home, records }: { home: string; records: number }) => {
  await buildHome(home, records, (done) => {
    tell({ type: "progress", text: `${done.toLocaleString("en-US")} records` });
  });
});
