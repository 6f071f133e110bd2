import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import { authority, type TestAccount } from "./accounts.ts";
import type { TestMessage } from "./messages.ts";
import { own } from "./own_message.ts";

/** Messages that give rewards, by the authority unless told otherwise. */
export const rewardMsg = {
  providers: (
    usageIds: readonly string[],
    reference = "q1",
    signer: TestAccount = authority,
  ): TestMessage =>
    own("MsgDistributeProviderRewards", tx.MsgDistributeProviderRewards, signer, {
      ...{ sender: signer.address, reference, usageIds: [...usageIds] },
    }),
  verification: (
    validator: string,
    score: number,
    o: { reference?: string; signer?: TestAccount } = {},
  ): TestMessage => {
    const { reference = "account-1", signer = authority } = o;
    const value = { sender: signer.address, validator, reference, score };
    const codec = tx.MsgDistributeVerificationReward;
    return own("MsgDistributeVerificationReward", codec, signer, value);
  },
};
