import { expect, test } from "vitest";
import { openApp } from "../../../src/app/app.ts";
import { bytesOfKey } from "../../../src/lib/key.ts";
import { LAYOUT, LAYOUT_KEY } from "../../../src/store/layout.ts";
import { openChain } from "../../testkit/chain.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import type { Dec } from "../../../src/types/dec.ts";

const EXPECTED =
  "the state has layout 1, this program reads 4: export the state with the program that wrote it, and start from that genesis: another layout of the state";

test("a state says which layout it has, and one of another is not opened", async () => {
  const { db, genesis } = await openChain();
  const options = { db, genesis, crypto: nodeCrypto(), minimumGasPrice: 0n as Dec };
  expect(db.getSync(bytesOfKey(LAYOUT_KEY))).toEqual(Uint8Array.of(LAYOUT));
  await expect(openApp(options)).resolves.toBeDefined();
  for (const value of [Uint8Array.of(1), undefined]) {
    await db.write([{ key: LAYOUT_KEY, value }]);
    await expect(openApp(options)).rejects.toThrow(EXPECTED);
  }
});
