import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Minutes and seconds until a point in time, `2:05`; `0:00` when it is past. */
export function minutesUntil(until: Timestamp, nowMs: number): string {
  const seconds = Math.max(0, Math.ceil((timestampMs(until) - nowMs) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** How much time is left, counting down. */
export function TimeLeft({
  until,
  text,
}: {
  readonly until: Timestamp;
  readonly text: (time: string) => string;
}): JSX.Element {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, []);
  // Not a live region: nobody wants every second read out.
  return <span class="quiet time-left">{text(minutesUntil(until, now))}</span>;
}
