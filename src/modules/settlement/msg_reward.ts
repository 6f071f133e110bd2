import type { ChainInfo } from "../../baseapp/context.ts";
import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import type { DistributionState } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { formatCoins } from "../../types/coins.ts";
import * as errors from "./errors.ts";
import { distributionId } from "./keeper_reward.ts";
import type { AuthorityRewardKeeper } from "./keeper_reward_authority.ts";
import * as check from "./msg_validate.ts";
import { coinsIn } from "./records.ts";

const NAME = "settled.settlement.v1.Msg";
const USAGE_IDS_MAX = 1000;
const SCORE_MAX = 100;

/** Messages of the authority that give rewards. */
export function rewardMsgs(keeper: AuthorityRewardKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}DistributeProviderRewards`,
      codec: tx.MsgDistributeProviderRewards,
      responseCodec: tx.MsgDistributeProviderRewardsResponse,
      gas: 20_000n,
      signers: ({ sender }) => [sender],
      validate: validateProviderRewards,
      handle: (ctx, msg) => answerOf(keeper.distributeProvider(ctx, msg)),
    }),
    msgRoute({
      name: `${NAME}DistributeVerificationReward`,
      codec: tx.MsgDistributeVerificationReward,
      responseCodec: tx.MsgDistributeVerificationRewardResponse,
      gas: 20_000n,
      signers: ({ sender }) => [sender],
      validate: validateVerificationReward,
      handle: (ctx, msg) => answerOf(keeper.distributeVerification(ctx, msg)),
    }),
  ];
}

function answerOf(distribution: DistributionState): {
  distributionId: string;
  totalRewards: string;
} {
  const totalRewards = formatCoins(coinsIn(distribution.total));
  return { distributionId: distributionId(distribution), totalRewards };
}

function validateProviderRewards(msg: tx.MsgDistributeProviderRewards, chain: ChainInfo): void {
  const kind = errors.ErrInvalidReward;
  check.address(msg.sender, "sender", chain);
  check.text(msg.reference, "reference", kind);
  const { usageIds } = msg;
  if (usageIds.length < 1 || usageIds.length > USAGE_IDS_MAX) {
    throw new ChainError(
      kind,
      `usage_ids: expected 1 to ${USAGE_IDS_MAX}, found ${usageIds.length}`,
    );
  }
  const sorted = [...usageIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  sorted.forEach((id, index) => {
    check.text(id, "usage_ids", kind);
    if (id !== sorted[index - 1]) return;
    throw new ChainError(kind, `usage_ids: ${id} stands there twice, expected each once`);
  });
}

function validateVerificationReward(
  msg: tx.MsgDistributeVerificationReward,
  chain: ChainInfo,
): void {
  check.address(msg.sender, "sender", chain);
  check.address(msg.validator, "validator", chain);
  check.text(msg.reference, "reference", errors.ErrInvalidReward);
  if (msg.score <= SCORE_MAX) return;
  const detail = `score: expected 0 to ${SCORE_MAX}, found ${msg.score}`;
  throw new ChainError(errors.ErrInvalidReward, detail);
}
