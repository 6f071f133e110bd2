import process from "node:process";
import { makeUsageHome } from "../e2e/usage_node.ts";

// In a process of its own, so that the memory that it takes is not counted for the daemon's.
const { home, orders } = JSON.parse(process.argv[2] ?? "{}") as { home: string; orders: number };
await makeUsageHome(home, { orders });
