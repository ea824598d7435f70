import { Watch, type WatchOptions, type WatchState } from "@vidence/client";
import { onScopeDispose, type Ref, ref, type ShallowRef, shallowRef } from "vue";

/** What a component sees of a log. */
export interface Watched<E> {
  /** The newest events, the newest first; at most `keep`. */
  readonly events: ShallowRef<readonly E[]>;
  readonly state: Ref<WatchState>;
}

/** Watches a log until the component is gone. */
export function useWatch<E>(open: WatchOptions<E>["open"], keep = 100): Watched<E> {
  const events = shallowRef<readonly E[]>([]);
  const state = ref<WatchState>("connecting");
  const watch = new Watch<E>({
    open,
    onEvents: (told) => {
      events.value = [...told.toReversed(), ...events.value].slice(0, keep);
    },
    onState: (entered) => {
      state.value = entered;
    },
  });
  void watch.start();
  onScopeDispose(() => {
    watch.close();
  });
  return { events, state };
}
