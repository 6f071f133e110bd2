/**
 * What the process's exit code says. Stable: scripts rely on it; codes are added, never changed.
 * `settled --help` shows this table.
 */
export const EXIT = {
  ok: 0,
  other: 1,
  usage: 2,
  connection: 3,
  txFailed: 4,
  txRefused: 5,
  notFound: 6,
  insufficientFunds: 7,
  proof: 8,
  invariant: 10,
  replayDiffers: 11,
  differs: 12,
  residual: 13,
  billedTwice: 20,
  usageLost: 21,
  wrongAmount: 22,
  unknownUsage: 23,
  daemonFailed: 24,
  torture: 25,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The meaning of each code, for help and documentation. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, "it worked"],
  [EXIT.other, "another failure; the message says which"],
  [EXIT.usage, "the command line is wrong: unknown flag, missing or malformed value"],
  [EXIT.connection, "the node cannot be reached or does not answer in time"],
  [EXIT.txFailed, "the tx is in a block and failed there; its fee is paid"],
  [EXIT.txRefused, "the tx was refused before any block; nothing changed"],
  [EXIT.notFound, "the thing asked for does not exist"],
  [EXIT.insufficientFunds, "an account or escrow has too little money"],
  [EXIT.proof, "a proof does not hold; the message says what"],
  [EXIT.invariant, "an invariant is broken: a bug or a damaged disk"],
  [EXIT.replayDiffers, "a replayed block did not come out as it was recorded"],
  [EXIT.differs, "reconcile: chain and file differ, and every difference is explained"],
  [EXIT.residual, "reconcile: a difference that nothing explains"],
  [EXIT.billedTwice, "torture: the chain bills the same usage more than once"],
  [EXIT.usageLost, "torture: metered usage is not billed"],
  [EXIT.wrongAmount, "torture: usage is billed for another amount than metered"],
  [EXIT.unknownUsage, "torture: usage is billed that was never metered"],
  [EXIT.daemonFailed, "torture: the daemon failed, or did not end in time"],
  [EXIT.torture, "torture: the test itself could not be done; it says nothing of the daemon"],
];
