import { spawn } from "node:child_process";
import { root, UserError } from "./root.mjs";

/**
 * Runs a program in the project's folder. SIGINT and SIGTERM are left to the child, which gets them
 * from the terminal or from here.
 * @param options.capture gather stdout and stderr, in order, instead of showing them
 * @returns {Promise<{ code: number, output: string, stdout: string }>}
 */
export function run(command, args, options = {}) {
  const { capture = false, env = {}, cwd = root } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...(capture ? { NO_COLOR: "1" } : {}), ...env },
      stdio: capture ? ["ignore", "pipe", "pipe"] : "inherit",
      // npm is a script on Windows, which only a shell starts.
      shell: process.platform === "win32",
    });
    const [all, out] = [[], []];
    child.stdout?.on("data", (chunk) => {
      all.push(chunk);
      out.push(chunk);
    });
    child.stderr?.on("data", (chunk) => all.push(chunk));
    const pass = (signal) => void child.kill(signal);
    process.on("SIGINT", pass);
    process.on("SIGTERM", pass);
    const end = () => {
      process.off("SIGINT", pass);
      process.off("SIGTERM", pass);
    };
    child.on("error", (error) => {
      end();
      reject(new UserError(`cannot run ${command}: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      end();
      const [output, stdout] = [all, out].map((chunks) => Buffer.concat(chunks).toString("utf8"));
      resolve({ code: signal === null ? code : 130, output, stdout });
    });
  });
}

/** Runs a program of node_modules with this Node. `entry` is a path in node_modules. */
export function runTool(entry, args, options) {
  return run(process.execPath, [`node_modules/${entry}`, ...args], options);
}
