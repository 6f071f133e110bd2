import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import type { TestAccount } from "./accounts.ts";
import { wire } from "./coins.ts";
import type { TestMessage } from "./messages.ts";
import { own } from "./own_message.ts";

/** Messages about payouts and fee accounts. */
export const payoutMsg = {
  hold: (signer: TestAccount, payoutId: string, reason = "under review"): TestMessage =>
    own("MsgHoldPayout", tx.MsgHoldPayout, signer, { sender: signer.address, payoutId, reason }),
  release: (signer: TestAccount, payoutId: string): TestMessage =>
    own("MsgReleasePayout", tx.MsgReleasePayout, signer, { sender: signer.address, payoutId }),
  refund: (
    signer: TestAccount,
    payoutId: string,
    amount = "",
    reason = "not delivered",
  ): TestMessage =>
    own("MsgRefundPayout", tx.MsgRefundPayout, signer, {
      ...{ sender: signer.address, payoutId, amount: wire(amount), reason },
    }),
  withdraw: (
    signer: TestAccount,
    account: string,
    recipient: string,
    amount: string,
  ): TestMessage =>
    own("MsgWithdrawFees", tx.MsgWithdrawFees, signer, {
      ...{ sender: signer.address, account, recipient, amount: wire(amount) },
    }),
};
