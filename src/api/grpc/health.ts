import type { handleServerStreamingCall, handleUnaryCall } from "@grpc/grpc-js";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../gen/grpc/health/v1/health.ts";
import { STATUS } from "../services/unary.ts";
import { statusText } from "./status_text.ts";

export const HEALTH_SERVICE = "grpc.health.v1.Health";

/** The standard health service: everything serves from the first block until the server closes. */
export class Health {
  readonly #known: ReadonlySet<string>;
  readonly #closing = new Set<() => void>();

  /** @param services full names; the empty name stands for the server as a whole */
  constructor(services: readonly string[]) {
    this.#known = new Set(["", ...services]);
  }

  readonly check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, callback) => {
    const { service } = call.request;
    if (this.#known.has(service)) return callback(null, { status: ServingStatus.SERVING });
    const details = statusText(`unknown service ${service}`);
    return callback({ code: STATUS.notFound, details });
  };

  readonly watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    const isKnown = this.#known.has(call.request.service);
    const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;
    call.write({ status: isKnown ? SERVING : SERVICE_UNKNOWN });
    const close = () => {
      this.#closing.delete(close);
      if (isKnown) call.write({ status: NOT_SERVING });
      call.end();
    };
    this.#closing.add(close);
    call.on("cancelled", () => this.#closing.delete(close));
    call.on("error", () => this.#closing.delete(close));
  };

  /** Tells all who watch that the server closes. */
  close(): void {
    for (const close of [...this.#closing]) close();
  }
}
