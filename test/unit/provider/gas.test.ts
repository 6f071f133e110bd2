import { expect, it } from "vitest";
import { SETTLED_RECORD_GAS } from "../../../src/modules/settlement/keeper_settlement.ts";
import { CLAIM_ENTRY_GAS } from "../../../src/modules/settlement/keeper_reward.ts";
import { MESSAGE_GAS } from "../../../src/modules/settlement/msg_server.ts";
import { messageGas } from "../../../src/provider/gas.ts";

it("the daemon's gas table is the chain's: layers keep them from sharing one", () => {
  expect({
    CreateEscrow: messageGas("create"),
    ActivateEscrow: messageGas("activate"),
    RecordUsage: messageGas("record"),
    AcknowledgeUsage: messageGas("acknowledge"),
    SettleOrder: messageGas("settle"),
    ClaimRewards: messageGas("claim"),
  }).toEqual({
    CreateEscrow: MESSAGE_GAS.CreateEscrow,
    ActivateEscrow: MESSAGE_GAS.ActivateEscrow,
    RecordUsage: MESSAGE_GAS.RecordUsage,
    AcknowledgeUsage: MESSAGE_GAS.AcknowledgeUsage,
    SettleOrder: MESSAGE_GAS.SettleOrder,
    ClaimRewards: MESSAGE_GAS.ClaimRewards,
  });
  expect(messageGas("settle", 1) - messageGas("settle")).toBe(SETTLED_RECORD_GAS);
  expect(messageGas("claim", 1) - messageGas("claim")).toBe(CLAIM_ENTRY_GAS);
});
