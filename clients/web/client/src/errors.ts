import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@protos/google/rpc/error_details_pb";

/** Why a call failed, as the suite says it: a machine-readable reason, and words for people. */
export interface Failure {
  readonly code: Code;
  /** A name of `vidence.error.v1.Reason` without its prefix; empty where the failure is not the suite's. */
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** How long to wait before trying again, ms; undefined where the server names no time. */
  readonly retryDelayMs: number | undefined;
}

/** Reads what the server says about a failure; anything else that is thrown has the code Unknown. */
export function failureOf(error: unknown): Failure {
  const connect = ConnectError.from(error);
  const info = connect.findDetails(ErrorInfoSchema)[0];
  const delay = connect.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: connect.code,
    reason: info?.domain === "vidence" ? info.reason : "",
    message: connect.rawMessage,
    metadata: info?.metadata ?? {},
    retryDelayMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

/** Whether the same call may succeed a little later. */
export function isPassing(failure: Failure): boolean {
  // A killed server is Unknown ("network error") in a browser, one that shuts down Unavailable.
  return (
    failure.code === Code.Unavailable || failure.code === Code.Unknown || failure.retryDelayMs !== undefined
  );
}
