import { Watch, type WatchOptions, type WatchState } from "@vidence/client";
import { useEffect, useRef, useState } from "react";

/** What a component sees of a log. */
export interface Watched<E> {
  /** The newest events, the newest first; at most `keep`. */
  readonly events: readonly E[];
  readonly state: WatchState;
}

/**
 * Watches a log for as long as the component lives; a new `key` watches another one.
 *
 * @param open Opens the call after a cursor, as `WatchOptions.open`.
 */
export function useWatch<E>(key: string, open: WatchOptions<E>["open"], keep = 100): Watched<E> {
  const [watched, setWatched] = useState<Watched<E>>({ events: [], state: "connecting" });
  const latest = useRef(open);
  latest.current = open;
  useEffect(() => {
    setWatched({ events: [], state: "connecting" });
    const watch = new Watch<E>({
      open: (cursor, signal) => latest.current(cursor, signal),
      onEvents: (told) => {
        setWatched(({ events, state }) => ({
          state,
          events: [...told.toReversed(), ...events].slice(0, keep),
        }));
      },
      onState: (state) => {
        setWatched(({ events }) => ({ events, state }));
      },
    });
    void watch.start();
    return () => {
      watch.close();
    };
  }, [key, keep]);
  return watched;
}
