import { decodeTx } from "../codec/tx_decode.ts";
import { encodeTxMsgData } from "../codec/tx_msg_data.ts";
import { InvariantError } from "../lib/assert.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { Overlay } from "../store/overlay.ts";
import type { Hasher } from "../types/crypto.ts";
import { type Event, event } from "../types/event.ts";
import {
  ErrInvalidGasLimit,
  ErrInvalidRequest,
  ErrPanic,
  ErrTxDecode,
} from "../types/sdk_errors.ts";
import type { TimeNs } from "../types/time.ts";
import { failedResult, type TxResult } from "../types/tx.ts";
import type { AnteStep, RoutedMsg, RoutedTx } from "./ante.ts";
import type { ChainInfo, Context, ExecMode } from "./context.ts";
import { GasMeter } from "./gas.ts";
import type { MsgRoute } from "./module.ts";
import type { MsgRouter } from "./msg_router.ts";

export interface TxEnvironment {
  readonly chain: ChainInfo;
  readonly router: MsgRouter;
  readonly ante: readonly AnteStep[];
  readonly hasher: Hasher;
}

export interface TxInput {
  readonly bytes: Uint8Array;
  readonly mode: ExecMode;
  readonly height: bigint;
  readonly time: TimeNs;
  /** What the tx changes; a failed tx leaves its fee and sequence here. */
  readonly overlay: Overlay;
  /** Gas that a simulated tx may use, and that no tx may exceed. */
  readonly gasMax: bigint;
}

/**
 * Runs one tx: decode, ante steps on their own overlay, messages on another. Ante failed: nothing
 * changes. A message failed: fee and sequence stay, everything else is dropped.
 */
export function runTx(env: TxEnvironment, input: TxInput): TxResult {
  const gas = { wanted: 0n, used: 0n };
  try {
    const tx = routeTx(env, input.bytes);
    gas.wanted = tx.authInfo.fee.gasLimit;
    return runRouted(env, input, tx, gas);
  } catch (error) {
    return failedResult(asChainError(error), gas, []);
  }
}

function routeTx(env: TxEnvironment, bytes: Uint8Array): RoutedTx {
  const tx = decodeTx(bytes);
  const routed = tx.body.messages.map((any): RoutedMsg => {
    const route = env.router.route(any.typeUrl);
    const message = decodeMessage(route, any.value);
    return { route, message, signers: route.signers(message) };
  });
  if (routed.length === 0)
    throw new ChainError(ErrInvalidRequest, "must contain at least one message");
  return { ...tx, bytes, hash: env.hasher.sha256(bytes), routed };
}

function decodeMessage(route: MsgRoute, value: Uint8Array): never {
  try {
    return route.decode(value) as never;
  } catch (error) {
    throw new ChainError(ErrTxDecode, `${route.typeUrl}: ${String(error)}`);
  }
}

function runRouted(
  env: TxEnvironment,
  input: TxInput,
  tx: RoutedTx,
  gas: { wanted: bigint; used: bigint },
): TxResult {
  const limit = input.mode === "simulate" ? input.gasMax : tx.authInfo.fee.gasLimit;
  if (limit > input.gasMax) {
    const detail = `tx gas limit ${limit} exceeds block max gas ${input.gasMax}`;
    return failedResult(new ChainError(ErrInvalidGasLimit, detail), gas, []);
  }
  const meter = new GasMeter(limit);
  const anteEvents: Event[] = [];
  try {
    for (const { route, message } of tx.routed) route.validate(message, env.chain);
    const anteOverlay = new Overlay(input.overlay);
    const ctx = txContext(env, input, { kv: anteOverlay, gas: meter, tx, events: anteEvents });
    for (const step of env.ante) step(ctx, tx);
    anteOverlay.mergeInto(input.overlay);
  } catch (error) {
    gas.used = meter.used;
    return failedResult(asChainError(error), gas, []);
  }
  if (input.mode === "check" || input.mode === "recheck") {
    gas.used = meter.used;
    return succeeded(EMPTY_BYTES, gas, anteEvents);
  }
  try {
    const overlay = new Overlay(input.overlay);
    const events: Event[] = [];
    const data = runMsgs(env, input, { kv: overlay, gas: meter, tx, events });
    overlay.mergeInto(input.overlay);
    gas.used = meter.used;
    return succeeded(data, gas, [...anteEvents, ...events]);
  } catch (error) {
    gas.used = meter.used;
    return failedResult(asChainError(error), gas, anteEvents);
  }
}

interface TxScope {
  readonly kv: Overlay;
  readonly gas: GasMeter;
  readonly tx: RoutedTx;
  readonly events: Event[];
}

function txContext(env: TxEnvironment, input: TxInput, scope: TxScope): Context {
  return {
    chain: env.chain,
    mode: input.mode,
    height: input.height,
    time: input.time,
    kv: scope.kv,
    gas: scope.gas,
    hasher: env.hasher,
    txHash: scope.tx.hash,
    emit: (emitted) => {
      scope.events.push(emitted);
    },
  };
}

function runMsgs(env: TxEnvironment, input: TxInput, scope: TxScope): Uint8Array {
  const responses = scope.tx.routed.map(({ route, message, signers }, index) => {
    const ctx: Context = {
      ...txContext(env, input, scope),
      emit: (emitted) => {
        scope.events.push(withMsgIndex(emitted, index));
      },
    };
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
  const module = route.typeUrl.split(".").at(-3) ?? "";
  return event("message", { action: route.typeUrl, sender: signers[0], module });
}

function withMsgIndex({ type, attributes }: Event, index: number): Event {
  const attribute = { key: "msg_index", value: index.toString(), index: true };
  return { type, attributes: [...attributes, attribute] };
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
  const results = { code: 0, codespace: "", log: "", info: "", data, events };
  return { ...results, gasWanted: gas.wanted, gasUsed: gas.used };
}

/**
 * A broken invariant halts the node. Anything unforeseen else fails the tx with a text that does
 * not depend on the machine, because a hostile tx must not be able to stop the chain.
 */
function asChainError(error: unknown): ChainError {
  if (error instanceof ChainError) return error;
  if (error instanceof InvariantError) throw error;
  return new ChainError(ErrPanic, "unexpected failure");
}
