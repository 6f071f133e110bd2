import { expect, test } from "vitest";
import { customer } from "../../testkit/accounts.ts";
import { openChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { see } from "../../testkit/views.ts";

const PATH = "virtengine.settlement.v1.Query/EscrowsByState";

test("RULES 36 above 4 MB: ResourceExhausted, naming the paginated queries; below it all is sent", async () => {
  // Fifty denoms of 128 letters, as deposit and as balance: 15 kB an escrow.
  const denoms = Array.from({ length: 50 }, (_, n) => `u${String(n).padStart(127, "x")}`);
  const coins = (amount: number) => denoms.map((denom) => `${amount}${denom}`).join();
  const chain = await openChain({ funds: { [customer.address]: coins(1_000_000) } });
  const create = (n: number) => msg.create(customer, coins(1), { order: `order-${n}` });
  for (let at = 0; at < 280; at += 28) {
    await chain.ok(...Array.from({ length: 28 }, (_, n) => create(at + n)));
  }
  expect(await see.escrowsIn(chain, "pending")).toHaveLength(280);
  await chain.ok(...Array.from({ length: 28 }, (_, n) => create(280 + n)));
  const answer = await chain.ask(PATH, { state: "pending" });
  expect(answer.log).toContain("code = ResourceExhausted");
  expect(answer.log).toMatch(/has [0-9]+ bytes, at most 4194304 are sent/);
  expect(answer.log).toContain("settled.settlement.v1.Query");
  expect(answer.value).toHaveLength(0);
});
