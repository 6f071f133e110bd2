export type Mode = "full" | "quick" | "smoke";

/** How much is measured. */
export interface Sizes {
  readonly repetitions: number;
  /** Of one measurement of the limit. */
  readonly limitMs: number;
  /** Txs of one repetition of check_tx_s, and of single-message txs per block. */
  readonly checkTxs: number;
  readonly singleTxs: number;
  readonly singleBlocks: number;
  /** Records of one repetition of batch_records_s and settle_records_s. */
  readonly batchRecords: number;
  /** Records of the logs that are replayed: in txs of 100, and one by one. */
  readonly replayRecords: number;
  readonly replaySingles: number;
  readonly nodeTxs: number;
  readonly queries: number;
  /** Records that one order holds for the growth ratio. */
  readonly orderRecords: number;
  /** Records of the large home. */
  readonly homeRecords: number;
  /** Records of the small home that it is compared with. */
  readonly smallHomeRecords: number;
}

const FULL: Sizes = {
  repetitions: 5,
  limitMs: 150,
  checkTxs: 8000,
  singleTxs: 2000,
  singleBlocks: 5,
  batchRecords: 40_000,
  replayRecords: 100_000,
  replaySingles: 30_000,
  nodeTxs: 20_000,
  queries: 20_000,
  orderRecords: 100_000,
  homeRecords: 1_000_000,
  smallHomeRecords: 10_000,
};

const QUICK: Sizes = {
  ...FULL,
  checkTxs: 2000,
  singleTxs: 2000,
  singleBlocks: 2,
  batchRecords: 10_000,
  replayRecords: 30_000,
  replaySingles: 6000,
  nodeTxs: 4000,
  queries: 5000,
  orderRecords: 10_000,
  homeRecords: 50_000,
};

const SMOKE: Sizes = {
  repetitions: 2,
  limitMs: 10,
  checkTxs: 20,
  singleTxs: 20,
  singleBlocks: 1,
  batchRecords: 200,
  replayRecords: 400,
  replaySingles: 20,
  nodeTxs: 40,
  queries: 50,
  orderRecords: 200,
  homeRecords: 1000,
  smallHomeRecords: 200,
};

/** @param homeRecords of the large home, if another number is wanted */
export function sizesOf(mode: Mode, homeRecords?: number): Sizes {
  const sizes = { full: FULL, quick: QUICK, smoke: SMOKE }[mode];
  return homeRecords === undefined ? sizes : { ...sizes, homeRecords };
}
