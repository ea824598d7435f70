import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "@protos/google/rpc/error_details_pb";
import type { Status } from "@protos/google/rpc/status_pb";

export type { Status };

/** The suite's reason in a status that is part of a message; empty where it has none. */
export function reasonOf(status: Status): string {
  for (const detail of status.details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info?.domain === "vidence") return info.reason;
  }
  return "";
}
