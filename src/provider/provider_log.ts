/** Facts of a log line: amounts and heights as they are, hashes as hex text. */
export type LogFacts = Readonly<Record<string, string | number | bigint | boolean>>;

/** Where the daemon tells what it does; the command line puts a real logger behind it. */
export interface ProviderLog {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}

export const NO_LOG: ProviderLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
