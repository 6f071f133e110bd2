#!/usr/bin/env node
import process from "node:process";
import { processIo } from "./io.ts";
import { run } from "./program.ts";

// A reader that closes the pipe early (`settled … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await run(process.argv.slice(2), processIo());
