import { createClient, type Transport } from "@connectrpc/connect";
import { CaptureService } from "@protos/vidence/capture/v1/capture_service_pb";
import type { CaptureEvent } from "@protos/vidence/capture/v1/session_event_pb";
import { connectTo } from "@vidence/client";
import { computed, defineComponent, h, type PropType } from "vue";

import { useWatch } from "./use_watch";

/** What the person in front of a camera is told now, live. */
export const SessionGuidance = defineComponent({
  props: {
    sessionId: { type: String, required: true },
    sessionToken: { type: String, required: true },
    transport: { type: Object as PropType<Transport>, required: false },
  },
  setup(props) {
    const capture = createClient(CaptureService, props.transport ?? connectTo());
    const { events, state } = useWatch<CaptureEvent>((cursor, signal) =>
      capture.watchSession(
        {
          sessionId: props.sessionId,
          sessionToken: props.sessionToken,
          ...(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }),
        },
        { signal },
      ),
    );
    const guidance = computed(() => {
      const newest = events.value.find(({ payload }) => payload.case === "guidance")?.payload;
      return newest?.case === "guidance" ? newest.value.message : "";
    });
    return () => h("section", [h("p", { role: "status" }, state.value), h("p", guidance.value)]);
  },
});
