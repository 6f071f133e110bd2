/** What services tell of the node's configuration, as the config file has it. */
export interface ServiceSettings {
  /** "0.025uve", or "0". */
  readonly minimumGasPrice: string;
  /** Heights that queries reach, or "all". */
  readonly keepHistory: number | "all";
  /** Where CometBFT's RPC listens, "http://127.0.0.1:26657". */
  readonly rpcUrl?: string;
}
