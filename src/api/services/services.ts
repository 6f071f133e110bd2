import type { UnaryMethod } from "./unary.ts";

/** Every unary method of the node by its path, "cosmos.tx.v1beta1.Service/Simulate". */
export type Services = ReadonlyMap<string, UnaryMethod>;
