import { createRegistry, type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "@protos/google/rpc/error_details_pb";
import { file_vidence_batch_v1_batch_events } from "@protos/vidence/batch/v1/batch_events_pb";
import { file_vidence_capture_v1_capture_events } from "@protos/vidence/capture/v1/capture_events_pb";
import { file_vidence_erasure_v1_erasure_events } from "@protos/vidence/erasure/v1/erasure_events_pb";
import { file_vidence_extraction_v1_extraction_events } from "@protos/vidence/extraction/v1/extraction_events_pb";
import { file_vidence_library_v1_library_events } from "@protos/vidence/library/v1/library_events_pb";
import { file_vidence_monitor_v1_monitor_events } from "@protos/vidence/monitor/v1/monitor_events_pb";
import { file_vidence_review_v1_review_events } from "@protos/vidence/review/v1/review_events_pb";

/** What the suite itself puts into an `Any`: payloads of its events, and details of failures. */
export const PAYLOADS = createRegistry(
  file_google_rpc_error_details,
  file_vidence_batch_v1_batch_events,
  file_vidence_capture_v1_capture_events,
  file_vidence_erasure_v1_erasure_events,
  file_vidence_extraction_v1_extraction_events,
  file_vidence_library_v1_library_events,
  file_vidence_monitor_v1_monitor_events,
  file_vidence_review_v1_review_events,
);

/** A message as JSON for people; where it holds something that is not known here, what that is. */
export function jsonText<D extends DescMessage>(schema: D, message: MessageShape<D>): string {
  try {
    return JSON.stringify(toJson(schema, message, { registry: PAYLOADS }), undefined, 2);
  } catch (error) {
    return String(error);
  }
}
