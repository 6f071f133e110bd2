import type { Group } from "../harness/bench.ts";

/** The limit by itself: every other figure measures it again beside its own samples. */
export const limitGroup: Group = {
  name: "limit",
  figures: [{ name: "verify_limit_tx_s", unit: "tx/s", scale: "limit", better: "higher" }],
  run: async (bench) => {
    for (let at = 0; at < bench.sizes.repetitions; at += 1) bench.noteLimit("verify_limit_tx_s");
  },
};
