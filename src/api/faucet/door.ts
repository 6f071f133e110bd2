import type { IncomingMessage } from "node:http";
import type { Coin } from "../../types/coins.ts";
import type { HttpDoor } from "../rest/http_door.ts";
import { notImplemented } from "../rest/rest_error.ts";
import { STATUS, UnaryError } from "../services/unary.ts";
import type { Faucet } from "./faucet.ts";

const FIELDS = ["address", "denom"];

/** `POST /faucet {"address", "denom"?}`, and `GET /faucet` with what it gives. */
export function faucetDoor(open: () => Promise<Faucet>): HttpDoor {
  return {
    prefix: "/faucet",
    async handle(request, _response, { path, signal, readJson, sendJson }) {
      if (path !== "" && path !== "/") throw notImplemented();
      if (request.method === "GET" || request.method === "HEAD") {
        const { address, limits } = await open();
        return sendJson(200, {
          ...{ address, amounts: limits.amounts.map(wireCoin) },
          ...{ per_address_per_hour: limits.perAddress, per_client_per_hour: limits.perClient },
        });
      }
      if (request.method !== "POST") throw notImplemented();
      checkType(request);
      const asked = readAsked(await readJson());
      const faucet = await open();
      const client = request.socket.remoteAddress ?? "";
      const { txhash, height, address, coin } = await faucet.pay(asked, client, signal);
      return sendJson(200, {
        txhash,
        height: height.toString(),
        address,
        amount: [wireCoin(coin)],
      });
    },
  };
}

/** Only of JSON does a browser ask first whether a page of another origin may send it. */
function checkType({ headers }: IncomingMessage): void {
  if (/^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "")) return;
  throw invalid("send JSON, with the header content-type: application/json");
}

function readAsked(body: unknown): { address: string; denom: string | undefined } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid('expected an object such as {"address": "ve1…", "denom": "uve"}');
  }
  const unknown = Object.keys(body).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw invalid(`unknown field "${unknown.slice(0, 100)}"`);
  const { address, denom } = body as { address?: unknown; denom?: unknown };
  if (typeof address !== "string") throw invalid("address: expected a text such as ve1…");
  if (denom !== undefined && typeof denom !== "string") throw invalid("denom: expected a text");
  return { address, denom };
}

function invalid(text: string): UnaryError {
  return new UnaryError(STATUS.invalidArgument, text);
}

function wireCoin({ denom, amount }: Coin): { denom: string; amount: string } {
  return { denom, amount: amount.toString() };
}
