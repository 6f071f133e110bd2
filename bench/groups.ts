import { checkTxGroup } from "./figures/check_tx.ts";
import { orderGrowthGroup, stateGrowthGroup } from "./figures/growth.ts";
import { limitGroup } from "./figures/limit.ts";
import { machineGroup } from "./figures/machine.ts";
import { nodeTxGroup } from "./figures/node_tx.ts";
import { openHomeGroup } from "./figures/open_home.ts";
import { queriesGroup } from "./figures/queries.ts";
import { replayGroup } from "./figures/replay.ts";
import { revertGroup } from "./figures/revert.ts";
import { singleTxGroup } from "./figures/single_tx.ts";
import type { Group } from "./harness/bench.ts";

/** All figures, in the order of the table. */
export const GROUPS: readonly Group[] = [
  ...[limitGroup, checkTxGroup, singleTxGroup, machineGroup, replayGroup, nodeTxGroup],
  ...[openHomeGroup, queriesGroup, revertGroup, orderGrowthGroup, stateGrowthGroup],
];
