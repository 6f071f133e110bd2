import { ChainError, register } from "../lib/errors.ts";

const ErrGenesis = register("genesis", 2, "invalid genesis");

/** A genesis that is refused, with the JSON path of the field at fault. */
export function fieldError(field: string, problem: string): ChainError {
  return new ChainError(ErrGenesis, `${field}: ${problem}`, { field });
}

/** Parses a part of genesis and names the field when that fails. @throws ChainError genesis/2 */
export function genesisField<T>(field: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof ChainError ? fieldError(field, error.message) : error;
  }
}
