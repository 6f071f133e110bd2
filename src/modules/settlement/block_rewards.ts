import type { Context } from "../../baseapp/context.ts";
import { isolated } from "../../baseapp/isolated.ts";
import { RewardEntryState } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import { dueInQueue } from "./block_queue.ts";
import { rewardExpiryFailed } from "./events.ts";
import type { RewardKeeper } from "./keeper_reward.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";

/** Reward entries that a block expires. */
const REWARD_ENTRIES_MAX = 1000;
/** Bytes of the due time in front of an entry's own key. */
const TIME_BYTES = 8;

/** Expires the rewards that nobody claimed in time, by (time, address, id), each on an overlay of its own. */
export function expireRewards(ctx: Context, records: Records, rewards: RewardKeeper): void {
  const due = dueInQueue(ctx, {
    ...{ prefix: keys.REWARD_QUEUE_PREFIX, most: REWARD_ENTRIES_MAX },
    isDue: (at) => at <= ctx.time,
    itemOf: (key) => entryOf(ctx, key),
    attemptsOf: ({ expiryAttempts }) => expiryAttempts,
  });
  for (const entry of due) {
    const failure = isolated(ctx, (inner) => rewards.expire(inner, entry));
    if (failure === undefined) continue;
    const attempts = entry.expiryAttempts + 1;
    records.changeRewardEntry(ctx, { ...entry, expiryAttempts: attempts });
    ctx.emit(rewardExpiryFailed({ address: entry.address, error: failure.message, attempts }));
  }
}

function entryOf(ctx: Context, queued: Key): RewardEntryState {
  const suffix = queued.slice(keys.REWARD_QUEUE_PREFIX.length + TIME_BYTES) as Key;
  const bytes = ctx.kv.get(joinKeys(keys.REWARD_ENTRY_PREFIX, suffix));
  return RewardEntryState.decode(must(bytes, "settlement: a queued reward exists"));
}
