import type { BroadcastResult, Client, TxInfo } from "../client/client.ts";
import { QueryError, RpcError } from "../client/errors.ts";
import type { Signer } from "../client/signer.ts";
import { buildSimulationTx, buildTx, type Fee, type TxContent } from "../client/tx_builder.ts";
import { chainOfGenesis } from "./home.ts";
import { CliError, exitOfTxCode, usageError } from "./cli_error.ts";
import { type Context, connect, openKeyring } from "./context.ts";
import { EXIT } from "./exit_codes.ts";
import { feeOf, gasLimitOf, parseFeeFlags } from "./gas.ts";
import type { KeyInfo, Keyring } from "./keyring/keyring.ts";
import { parseNumber, parseSignMode, type TxFlags } from "./tx_flags.ts";

/** A node and a key to sign for it with. */
export interface TxSession {
  readonly context: Context;
  readonly flags: TxFlags;
  readonly client: Client;
  readonly key: KeyInfo;
  /** In which gas is paid unless the flags say otherwise. */
  readonly denom: string;
  /** Opens the key: this is where a password is asked for. */
  signer(): Promise<Signer>;
}

/** Connects, finds the key of `--from`, and checks that the two belong to one chain. */
export async function openTxSession(context: Context, flags: TxFlags): Promise<TxSession> {
  const { keyring, chain } = await openKeyring(context, flags);
  const key = await findFrom(keyring, flags.from);
  const client = await connect(context, flags);
  if (flags.chainId !== undefined && flags.chainId !== client.chainId) {
    throw usageError(
      `the node is of chain ${client.chainId}, not of ${flags.chainId} (--chain-id)`,
      `name the right node with --node, or give --chain-id ${client.chainId}`,
    );
  }
  if (keyring.backend === "test") {
    const known = chain.chainId === client.chainId ? chain : await remoteChain(client);
    if (!known.dev) throw testKeyringRefused(client.chainId);
  }
  let opened: Promise<Signer> | undefined;
  const signer = () => {
    opened ??= keyring.signer(key.name);
    return opened;
  };
  return { context, flags, client, key, denom: chain.denom, signer };
}

async function remoteChain(client: Client) {
  const { genesis } = (await client.rpc.call("genesis")) as { genesis?: unknown };
  return chainOfGenesis(genesis ?? {});
}

function testKeyringRefused(chainId: string): CliError {
  return new CliError(
    EXIT.usage,
    "test_keyring",
    `the test keyring keeps keys in plain text, and ${chainId} is not a dev chain`,
    { hint: "use --keyring-backend file" },
  );
}

async function findFrom(keyring: Keyring, from: string | undefined): Promise<KeyInfo> {
  if (from !== undefined) return keyring.find(from);
  const names = (await keyring.list()).map(({ name }) => name);
  const known = names.length === 0 ? "settled keys add NAME" : `--from ${names.join(", --from ")}`;
  throw usageError("--from is missing: the key that signs and pays", known);
}

/** What a tx will say, cost and be signed for. */
export interface PlannedTx {
  readonly content: TxContent;
  readonly fee: Fee;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  /** undefined: the gas limit was given. */
  readonly simulatedGas: bigint | undefined;
}

/**
 * Asks the node for what a tx needs: account, sequence and gas.
 * @throws CliError `tx_refused` when the simulation of the tx fails
 */
export async function planTx(session: TxSession, content: TxContent): Promise<PlannedTx> {
  const { client, flags, key } = session;
  const plan = parseFeeFlags(flags, session.denom);
  const account = await accountOf(session);
  const { accountNumber } = account;
  if (plan.gas !== undefined && flags.dryRun !== true) {
    const fee = feeOf(plan, plan.gas);
    return { content, fee, ...account, simulatedGas: undefined };
  }
  const { publicKey } = key;
  const { gas, sequence } = await withExpectedSequence(session, account.sequence, (sequence) =>
    simulate(client, buildSimulationTx({ ...content, publicKey, sequence })),
  );
  const fee = feeOf(plan, plan.gas ?? gasLimitOf(plan, gas));
  return { content, fee, accountNumber, sequence, simulatedGas: gas };
}

/** A block with a tx of the account may come between asking for its sequence and using it. */
async function withExpectedSequence(
  { flags }: TxSession,
  first: bigint,
  run: (sequence: bigint) => Promise<bigint>,
): Promise<{ gas: bigint; sequence: bigint }> {
  let sequence = first;
  for (let tries = 1; ; tries += 1) {
    try {
      return { gas: await run(sequence), sequence };
    } catch (error) {
      const expected = error instanceof CliError ? expectedSequence(error.message) : undefined;
      const isFinal = flags.sequence !== undefined || tries === SEQUENCE_TRIES;
      if (expected === undefined || isFinal) throw error;
      sequence = expected;
    }
  }
}

/** How often a tx is tried with the sequence that the node expects instead. */
export const SEQUENCE_TRIES = 8;

/** The sequence that the text of a refusal (`sdk/32`) names; undefined for another text. */
export function expectedSequence(text: string): bigint | undefined {
  const match = /account sequence mismatch, expected ([0-9]{1,20}), got [0-9]+/.exec(text);
  return match?.[1] === undefined ? undefined : BigInt(match[1]);
}

/** Number and sequence by the flags, else by the node. */
export async function accountOf({ client, flags, key }: TxSession) {
  const accountNumber = parseNumber("--account-number", flags.accountNumber);
  const sequence = parseNumber("--sequence", flags.sequence);
  if (accountNumber !== undefined && sequence !== undefined) return { accountNumber, sequence };
  const account = await client.account(key.address);
  if (account === undefined) {
    throw new CliError(
      EXIT.notFound,
      "account_not_found",
      `account ${key.address} ("${key.name}") is not on chain ${client.chainId} yet`,
      { hint: `send it coins first: settled tx bank send ${key.address} 1000000uve --from …` },
    );
  }
  return {
    accountNumber: accountNumber ?? account.accountNumber,
    sequence: sequence ?? account.sequence,
  };
}

async function simulate(client: Client, tx: Uint8Array): Promise<bigint> {
  try {
    return (await client.simulate(tx)).gasUsed;
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const { codespace, code } = error;
    const message = causeOf(error.message);
    // The query wraps the failure of the tx in a code of its own; what is left of it is the text.
    const poor = /(^|: )insufficient funds$/.test(message);
    const exit = poor ? EXIT.insufficientFunds : exitOfTxCode("check", codespace, code);
    throw new CliError(exit, "tx_refused", message, {
      hint: "nothing was sent; with --gas NUMBER the tx is sent without a simulation",
      details: { stage: "simulate", codespace, abciCode: code },
    });
  }
}

/** The error of the tx itself, out of what the query puts around it. */
function causeOf(log: string): string {
  return log.replace(/^rpc error: code = \w+ desc = /, "").replace(/: invalid request$/, "");
}

/** Signs a planned tx. */
export async function signTx(session: TxSession, tx: PlannedTx): Promise<Uint8Array> {
  const { accountNumber, sequence, fee } = tx;
  return buildTx({
    ...tx.content,
    ...{ signer: await session.signer(), chainId: session.client.chainId },
    ...{ accountNumber, sequence, fee, mode: parseSignMode(session.flags.signMode) },
  });
}

/**
 * Sends a signed tx and waits for its block.
 * @returns undefined with `wait` false: the tx passed its check and waits for a block.
 * @throws CliError `tx_refused` when its check fails, `tx_failed` when it fails in its block
 */
export async function sendTx(
  client: Client,
  tx: Uint8Array,
  wait: boolean,
): Promise<{ hash: string; info: TxInfo | undefined }> {
  return concludeTx(client, await broadcast(client, tx), wait);
}

/** What becomes of a tx that was sent; throws and returns as `sendTx`. */
export async function concludeTx(
  client: Client,
  { hash, codespace, code, log }: BroadcastResult,
  wait: boolean,
): Promise<{ hash: string; info: TxInfo | undefined }> {
  if (code !== 0) {
    throw new CliError(exitOfTxCode("check", codespace, code), "tx_refused", log, {
      ...hintOf(codespace, code),
      details: { stage: "check", hash, codespace, abciCode: code },
    });
  }
  if (!wait) return { hash, info: undefined };
  const info = await client.waitForTx(hash, { timeoutMs: 60_000 });
  if (info.code === 0) return { hash, info };
  throw new CliError(exitOfTxCode("block", info.codespace, info.code), "tx_failed", info.log, {
    hint: `settled query tx ${hash}`,
    details: {
      ...{ stage: "block", hash, height: info.height },
      ...{ codespace: info.codespace, abciCode: info.code, gas_used: info.gasUsed },
    },
  });
}

/** What CometBFT's mempool refuses without asking the application, with the codes of the SDK. */
const MEMPOOL_CODES: readonly (readonly [RegExp, number])[] = [
  [/already exists in cache/, 19],
  [/mempool is full/, 20],
  [/Tx too large/, 21],
];

/** Sends a tx; a refusal is a result with a code. */
export async function broadcast(client: Client, tx: Uint8Array): Promise<BroadcastResult> {
  try {
    return await client.broadcastSync(tx);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const code = MEMPOOL_CODES.find(([pattern]) => pattern.test(error.message))?.[1];
    if (code === undefined) throw error;
    return { hash: "", codespace: "sdk", code, log: error.message };
  }
}

const HINTS: Readonly<Record<number, string>> = {
  4: "check --chain-id, --account-number and --sequence, and that --from is the right key",
  5: "settled query bank balances ADDRESS",
  11: "give more gas: --gas auto with a larger --gas-adjustment, or --gas NUMBER",
  13: "offer more: --gas-prices or --fees",
  20: "the node is busy: send it again in a moment",
  30: "give a later --timeout-height",
  32: "another tx of this account came first: send it again",
};

function hintOf(codespace: string, code: number): { hint?: string } {
  const hint = codespace === "sdk" ? HINTS[code] : undefined;
  return hint === undefined ? {} : { hint };
}
