import { expect, test } from "vitest";
import {
  decodeTxOfRecord,
  decodeTxRecord,
  encodeBlockOutcome,
  encodeTxRecord,
} from "../../../src/codec/tendermint.ts";
import { StoredDataError } from "../../../src/node/errors.ts";
import { readBlockOutcome, readTxRecord } from "../../../src/node/paced_records.ts";
import { event } from "../../../src/types/event.ts";

const events = Array.from({ length: 2000 }, (_, no) =>
  event("transfer", { amount: `${no}uve`, sender: "ve1sender", note: "ä".repeat(no % 7) }),
);
const RECORD = {
  ...{ height: 7n, index: 3, tx: Uint8Array.of(1, 2, 3) },
  result: {
    ...{ code: 5, codespace: "sdk", log: "log", info: "info", data: Uint8Array.of(9) },
    ...{ gasWanted: 10n, gasUsed: 9n, events },
  },
};

/** Asks for a pause whenever it is asked. */
function slowPace() {
  const pace = {
    pauses: 0,
    isDue: () => true,
    pause: async () => {
      pace.pauses += 1;
    },
  };
  return pace;
}

test("a large record is decoded event by event, to the same", async () => {
  const bytes = encodeTxRecord(RECORD);
  const pace = slowPace();
  expect(await readTxRecord(bytes, pace)).toEqual(decodeTxRecord(bytes));
  expect(pace.pauses).toBe(events.length);
  expect(await readTxRecord(bytes)).toEqual(decodeTxRecord(bytes));
  expect([...decodeTxOfRecord(bytes)]).toEqual([1, 2, 3]);
});

test("so are the events of a large block", async () => {
  const bytes = encodeBlockOutcome({ events, appHash: Uint8Array.of(4) });
  const pace = slowPace();
  expect(await readBlockOutcome(bytes, pace)).toEqual(await readBlockOutcome(bytes));
  expect(pace.pauses).toBe(events.length);
});

test("a damaged record is named as such; what the pace throws is thrown as it is", async () => {
  const bytes = encodeTxRecord(RECORD);
  const cut = bytes.subarray(0, bytes.length - 1);
  await expect(readTxRecord(cut, slowPace())).rejects.toThrow(StoredDataError);
  const gone = { isDue: () => true, pause: () => Promise.reject(new Error("gone")) };
  await expect(readTxRecord(bytes, gone)).rejects.toThrow("gone");
});
