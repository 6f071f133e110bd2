import { encodeTxMsgData } from "../codec/tx_msg_data.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import type { Overlay } from "../store/overlay.ts";
import type { PreparedTx as AnyPreparedTx } from "../types/application.ts";
import { attribute, type Event, withAttribute } from "../types/event.ts";
import { ErrInvalidGasLimit } from "../types/sdk_errors.ts";
import type { TimeNs } from "../types/time.ts";
import { failedResult, type TxResult } from "../types/tx.ts";
import type { AnteStep, RoutedTx } from "./ante.ts";
import { type Context, type ExecMode, isCheck } from "./context.ts";
import { GasMeter } from "./gas.ts";
import type { MsgRoute } from "./module.ts";
import { asChainError, type PrepareEnvironment, PreparedTx } from "./prepare_tx.ts";

export interface TxEnvironment extends PrepareEnvironment {
  readonly ante: readonly AnteStep[];
}

export interface TxInput {
  readonly tx: Uint8Array | AnyPreparedTx;
  readonly mode: ExecMode;
  readonly height: bigint;
  readonly time: TimeNs;
  /** What the tx changes; a failed tx leaves its fee and sequence here. */
  readonly overlay: Overlay;
  /** Gas that a simulated tx may use, and that no tx may exceed. */
  readonly gasMax: bigint;
}

/** The tx as this machine has prepared it, or prepares it now. */
export function preparedFor(env: PrepareEnvironment, tx: Uint8Array | AnyPreparedTx): PreparedTx {
  if (tx instanceof PreparedTx && tx.isOf(env)) return tx;
  return new PreparedTx(env, tx instanceof Uint8Array ? tx : tx.bytes);
}

/**
 * Runs one tx: decode, ante steps as one part, messages as another. Ante failed: nothing
 * changes. A message failed: fee and sequence stay, everything else is dropped.
 */
export function runTx(env: TxEnvironment, input: TxInput): TxResult {
  const gas = { wanted: 0n, used: 0n };
  const prepared = preparedFor(env, input.tx);
  const tx = prepared.decoded;
  if (tx instanceof ChainError) return failedResult(tx, gas, []);
  gas.wanted = tx.authInfo.fee.gasLimit;
  const fault = prepared.messageFault(tx);
  return runRouted(env, input, { tx, fault, gas });
}

function runRouted(
  env: TxEnvironment,
  input: TxInput,
  routed: {
    readonly tx: RoutedTx;
    readonly fault: ChainError | undefined;
    readonly gas: { wanted: bigint; used: bigint };
  },
): TxResult {
  const { tx, fault, gas } = routed;
  const limit = input.mode === "simulate" ? input.gasMax : tx.authInfo.fee.gasLimit;
  if (limit > input.gasMax) {
    const detail = `tx gas limit ${limit} exceeds block max gas ${input.gasMax}`;
    return failedResult(new ChainError(ErrInvalidGasLimit, detail), gas, []);
  }
  const meter = new GasMeter(limit);
  const events: Event[] = [];
  const { overlay: kv } = input;
  const scope = { kv, gas: meter, tx, events };
  kv.begin();
  try {
    if (fault !== undefined) throw fault;
    const ctx = txContext(env, input, scope, (emitted) => {
      events.push(emitted);
    });
    for (const step of env.ante) step(ctx, tx);
  } catch (error) {
    kv.drop();
    gas.used = meter.used;
    return failedResult(asChainError(error), gas, []);
  }
  kv.keep();
  if (isCheck(input)) {
    gas.used = meter.used;
    return succeeded(EMPTY_BYTES, gas, events);
  }
  const anteEvents = events.length;
  kv.begin();
  try {
    const data = runMsgs(env, input, scope);
    kv.keep();
    gas.used = meter.used;
    return succeeded(data, gas, events);
  } catch (error) {
    kv.drop();
    gas.used = meter.used;
    events.length = anteEvents;
    return failedResult(asChainError(error), gas, events);
  }
}

interface TxScope {
  readonly kv: Overlay;
  readonly gas: GasMeter;
  readonly tx: RoutedTx;
  readonly events: Event[];
}

function txContext(
  env: TxEnvironment,
  input: TxInput,
  scope: TxScope,
  emit: (emitted: Event) => void,
): Context {
  return {
    chain: env.chain,
    mode: input.mode,
    height: input.height,
    time: input.time,
    kv: scope.kv,
    gas: scope.gas,
    hasher: env.hasher,
    txHash: scope.tx.hash,
    emit,
  };
}

function runMsgs(env: TxEnvironment, input: TxInput, scope: TxScope): Uint8Array {
  const responses = scope.tx.routed.map(({ route, message, signers }, index) => {
    const msgIndex = attribute("msg_index", index.toString());
    const ctx = txContext(env, input, scope, (emitted) => {
      scope.events.push(withAttribute(emitted, msgIndex));
    });
    ctx.emit(messageEvent(route, signers));
    scope.gas.consume(route.gas, route.typeUrl);
    try {
      return { typeUrl: route.responseTypeUrl, value: route.handle(ctx, message) };
    } catch (error) {
      throw atMessage(asChainError(error), index);
    }
  });
  return encodeTxMsgData(responses);
}

function messageEvent(route: MsgRoute, signers: readonly string[]): Event {
  const [sender] = signers;
  const [action, module] = [attribute("action", route.typeUrl), attribute("module", route.module)];
  const attributes =
    sender === undefined ? [action, module] : [action, attribute("sender", sender), module];
  return { type: "message", attributes };
}

/** The text that Cosmos puts in front of a failed message, which clients show. */
function atMessage(error: ChainError, index: number): ChainError {
  const prefix = `failed to execute message; message index: ${index}: `;
  if (error.message.startsWith("failed to execute message")) return error;
  const kind = { codespace: error.codespace, code: error.code, text: prefix + error.message };
  return new ChainError(kind, "", error.details);
}

function succeeded(
  data: Uint8Array,
  gas: { wanted: bigint; used: bigint },
  events: readonly Event[],
): TxResult {
  const { wanted: gasWanted, used: gasUsed } = gas;
  return { code: 0, codespace: "", log: "", info: "", data, gasWanted, gasUsed, events };
}
