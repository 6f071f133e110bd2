/** A server of the node cannot listen because another process has the port. */
export class PortInUseError extends Error {
  readonly port: number;
  /** The command-line flag that chooses another port, "--rpc-port". */
  readonly flag: string;

  constructor(port: number, flag: string) {
    super(
      `port ${port} is already in use: stop the process that has it, or choose another port with ${flag} (0 picks a free one)`,
    );
    this.name = "PortInUseError";
    this.port = port;
    this.flag = flag;
  }
}
