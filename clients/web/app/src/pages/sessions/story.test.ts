import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "@protos/google/rpc/error_details_pb";
import { StatusSchema } from "@protos/google/rpc/status_pb";
import { CaptureEventSchema } from "@protos/vidence/capture/v1/session_event_pb";
import { expect, it } from "vitest";

import { jsonOf } from "./story";

it("tells of a failure with its reason", () => {
  const info = create(ErrorInfoSchema, { reason: "IMAGE_CORRUPT", domain: "vidence" });
  const status = create(StatusSchema, {
    message: "damaged",
    details: [anyPack(ErrorInfoSchema, info)],
  });
  const event = create(CaptureEventSchema, { payload: { case: "error", value: { status } } });
  expect(jsonOf(event)).toContain("IMAGE_CORRUPT");
});

it("tells of what it does not know by its name", () => {
  const details = [{ typeUrl: "type.example/own.Detail", value: new Uint8Array([1]) }];
  const status = create(StatusSchema, { details });
  const event = create(CaptureEventSchema, { payload: { case: "error", value: { status } } });
  expect(jsonOf(event)).toContain("own.Detail");
});
