import { createClient } from "@connectrpc/connect";
import { EventService } from "@protos/vidence/event/v1/event_service_pb";
import { connectTo } from "@vidence/client";

const transport = connectTo();

/** The suite's services, behind the bridge that served this page. */
export const events = createClient(EventService, transport);
