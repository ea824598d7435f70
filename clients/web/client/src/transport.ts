import type { Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

/** The suite behind a bridge. Binary gRPC-Web: messages arrive one by one. */
export function connectTo(baseUrl: string = globalThis.location.origin): Transport {
  return createGrpcWebTransport({ baseUrl, useBinaryFormat: true });
}
