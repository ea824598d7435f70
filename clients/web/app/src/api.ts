import { createClient } from "@connectrpc/connect";
import { BatchService } from "@protos/vidence/batch/v1/batch_service_pb";
import { CaptureService } from "@protos/vidence/capture/v1/capture_service_pb";
import { EventService } from "@protos/vidence/event/v1/event_service_pb";
import { ExtractionService } from "@protos/vidence/extraction/v1/extraction_service_pb";
import { LibraryService } from "@protos/vidence/library/v1/library_service_pb";
import { ReviewService } from "@protos/vidence/review/v1/review_service_pb";
import { connectTo } from "@vidence/client";

const transport = connectTo();

/** The suite's services, behind the bridge that served this page. */
export const events = createClient(EventService, transport);
export const capture = createClient(CaptureService, transport);
export const extraction = createClient(ExtractionService, transport);
export const batches = createClient(BatchService, transport);
export const libraries = createClient(LibraryService, transport);
export const reviews = createClient(ReviewService, transport);
