import "./stream_state.css";

import type { WatchState } from "@vidence/client";
import type { JSX } from "preact";

import { shared } from "../words";

/** Says how a stream stands; read out when it changes. */
export function StreamState({ state }: { readonly state: WatchState }): JSX.Element {
  return (
    <span class={`stream-state ${state}`} role="status">
      {shared(`state.${state}`)}
    </span>
  );
}
