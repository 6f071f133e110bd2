/** How people count a denom: in units of ten to this power of it, under this name. */
export interface DenomDisplay {
  /** "ve"; the denom itself when nothing is known of it. */
  readonly name: string;
  /** "VE" */
  readonly symbol: string;
  readonly exponent: number;
}

/** Of a coin whose base unit begins with "u". */
const MICRO = 6;

/** "uve" is a millionth of VE; of another denom nothing is known but its name. */
export function displayOf(denom: string): DenomDisplay {
  if (!/^u[a-z]{2,}$/.test(denom)) return { name: denom, symbol: denom, exponent: 0 };
  const name = denom.slice(1);
  return { name, symbol: name.toUpperCase(), exponent: MICRO };
}
