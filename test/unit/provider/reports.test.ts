import { describe, expect, it } from "vitest";
import {
  MsgAcknowledgeUsage,
  MsgRecordUsage,
} from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import {
  AcknowledgeSignDoc,
  UsageSignDoc,
} from "../../../src/gen/settled/settlement/v1/sign_doc.ts";
import { verifySecp256k1 } from "../../../src/lib/secp256k1.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { PriceBook } from "../../../src/provider/price_book.ts";
import { reportsOf, signedAcknowledgement, signedReport } from "../../../src/provider/reports.ts";
import { NO_METRICS, unitsOfWindow } from "../../../src/provider/units.ts";
import { signer } from "./fake_chain.ts";

const prices = PriceBook.parse(
  { denom: "uve", prices: { cpu: "1.5", memory: "2", network: "0.1" } },
  "x",
);
const metrics = {
  ...NO_METRICS,
  cpuMilliseconds: 10_800_000n,
  memoryByteSeconds: 3_865_470_566_400n,
  networkBytesIn: 2n ** 30n,
};
const window = { job: "j", order: "o", lease: "l", start: 3600n, end: 7200n, metrics, line: 1 };
const reports = reportsOf(window, unitsOfWindow(metrics), prices, 1_700_000_000n);

describe("usage reports", () => {
  it("R-003-03 one per resource, all with the period of the window", () => {
    expect(reports.map(({ usageType, usageUnits, cost }) => [usageType, usageUnits, cost])).toEqual(
      [
        ["cpu", 3n, 4n],
        ["memory", 1n, 2n],
        ["network", 1n, 0n],
      ],
    );
    for (const { periodStart, periodEnd } of reports) {
      expect([periodStart, periodEnd]).toEqual([1_700_003_600n, 1_700_007_200n]);
    }
  });

  it("RULES 18 are signed by the provider over their sign document", () => {
    const report = reports[0] as (typeof reports)[0];
    const { typeUrl, value } = signedReport(report, signer, "settled-1");
    expect(typeUrl).toBe("/virtengine.settlement.v1.MsgRecordUsage");
    const message = MsgRecordUsage.decode(value);
    expect(message).toMatchObject({
      ...{ sender: signer.address, orderId: "o", leaseId: "l", usageType: "cpu", usageUnits: 3n },
      unitPrice: { denom: "uve", amount: "1500000000000000000" },
    });
    const { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice } = message;
    const doc = { chainId: "settled-1", orderId, leaseId, usageType, usageUnits };
    const bytes = UsageSignDoc.encode({ ...doc, periodStart, periodEnd, unitPrice }).finish();
    expect(verifySecp256k1(message.signature, sha256(bytes), signer.publicKey)).toBe(true);
  });

  it("RULES 18 acknowledgements are signed by the customer", () => {
    const record = { usageId: "usage-1-1", totalCost: "4uve" };
    const message = MsgAcknowledgeUsage.decode(signedAcknowledgement(record, signer, "c").value);
    const bytes = AcknowledgeSignDoc.encode({ chainId: "c", ...record }).finish();
    expect(message).toMatchObject({ sender: signer.address, usageId: "usage-1-1" });
    expect(verifySecp256k1(message.signature, sha256(bytes), signer.publicKey)).toBe(true);
  });
});
