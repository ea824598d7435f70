import { timestampMs } from "@bufbuild/protobuf/wkt";
import { signal } from "@preact/signals";
import type { StatisticsEvent } from "@protos/vidence/event/v1/event_service_pb";
import type { Statistics } from "@protos/vidence/event/v1/event_statistics_pb";
import { OnExpired } from "@protos/vidence/stream/v1/stream_control_pb";
import { Watch, type WatchState } from "@vidence/client";

import { events as service } from "../../api";

/** Points of a chart, column by column: seconds since 1970 first, then the values of each line. */
export type Columns = readonly (readonly number[])[];

/** Snapshots that are shown: five minutes. */
export const KEPT = 300;

/** The numbers of the bus as they change. Bound: 300 snapshots. */
export class BusNumbers {
  readonly snapshots = signal<readonly Statistics[]>([]);
  readonly state = signal<WatchState>("connecting");
  readonly missed = signal(false);
  #watch: Watch<StatisticsEvent> | undefined;

  start(): void {
    this.close();
    const watch = new Watch<StatisticsEvent>({
      open: (cursor, signal) =>
        service.watchStatistics(
          {
            onExpired: OnExpired.GAP,
            ...(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }),
          },
          { signal },
        ),
      onEvents: (events) => {
        this.#add(events.flatMap(({ payload }) => (payload.case === "snapshot" ? [payload.value] : [])));
      },
      ask: async (signal) => {
        const { statistics } = await service.getStatistics({}, { signal });
        if (statistics) this.#add([statistics]);
      },
      onGap: () => (this.missed.value = true),
      onState: (state) => {
        if (this.#watch === watch) this.state.value = state;
      },
    });
    this.#watch = watch;
    this.state.value = watch.state;
    void watch.start();
  }

  #add(fresh: readonly Statistics[]): void {
    this.snapshots.value = [...this.snapshots.value, ...fresh].slice(-KEPT);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }
}

/** The columns of a chart of some numbers of each snapshot. */
export function columnsOf(
  snapshots: readonly Statistics[],
  ...numbers: readonly ((snapshot: Statistics) => number)[]
): Columns {
  const timed = snapshots.filter((snapshot) => snapshot.snapshotTime !== undefined);
  const seconds = timed.map(({ snapshotTime }) => (snapshotTime ? timestampMs(snapshotTime) / 1000 : 0));
  return [seconds, ...numbers.map((number) => timed.map(number))];
}
