import "./system.css";

import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Statistics, SubscriberStatistics } from "@protos/vidence/event/v1/event_statistics_pb";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { count } from "../../language";
import { Nothing } from "../../parts/nothing";
import { StreamState } from "../../parts/stream_state";
import { decimal, megabytes } from "../../parts/units";
import type { Page } from "..";
import { BusNumbers, columnsOf } from "./bus";
import { Chart } from "./chart";
import { type Health, HealthPoll } from "./health";
import { say, word } from "./words";

/** How the services are, and the numbers of the bus as they change. */
export const systemPage: Page = { path: "/system", title: () => say("title"), component: System };

function System(): JSX.Element {
  const [poll] = useState(() => new HealthPoll());
  const [bus] = useState(() => new BusNumbers());
  useEffect(() => {
    poll.start();
    bus.start();
    return () => {
      poll.close();
      bus.close();
    };
  }, [poll, bus]);
  const newest = bus.snapshots.value.at(-1);
  return (
    <div class="system stack">
      <h1>{say("title")}</h1>
      {poll.health.value ? (
        <Services health={poll.health.value} />
      ) : (
        <Nothing known={false} failed={false} empty="" />
      )}
      <header class="row spread">
        <h2>{say("bus")}</h2>
        <StreamState state={bus.state.value} />
      </header>
      {bus.missed.value && <p role="alert">{say("missed")}</p>}
      {newest === undefined && <Nothing known={false} failed={bus.state.value === "failed"} empty="" />}
      {newest && (
        <>
          <Numbers statistics={newest} />
          <Charts snapshots={bus.snapshots.value} newest={newest} />
          <Subscribers subscribers={newest.subscribers} />
        </>
      )}
    </div>
  );
}

function Services({ health }: { readonly health: Health }): JSX.Element {
  const good = health.status === "ok";
  return (
    <section class="stack" aria-label={say("services")}>
      <header class="row spread">
        <h2>{say("services")}</h2>
        <span class="row">
          {health.version !== "" && <span class="quiet">{say("version", { version: health.version })}</span>}
          <span class={`health ${good ? "serving" : "unreachable"}`} role="status">
            {word("status", health.status)}
          </span>
        </span>
      </header>
      <ul class="tiles">
        {Object.entries(health.services).map(([name, state]) => (
          <li key={name} class="panel tile">
            <span>{word("name", name)}</span>
            <span class={`health ${state}`}>{word("state", state)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Numbers({ statistics }: { readonly statistics: Statistics }): JSX.Element {
  const { log, uptimeDuration } = statistics;
  const lines: readonly (readonly [string, string])[] = [
    [say("published"), count(statistics.totalPublished)],
    [say("delivered"), count(statistics.totalDelivered)],
    [say("subscribers"), count(statistics.subscriberCount)],
    [say("pending"), count(statistics.pendingEvents)],
    [say("errors"), count(statistics.totalErrors)],
    [say("kept"), count(log?.eventCount ?? 0n)],
    [say("size"), megabytes(Number(log?.sizeBytes ?? 0n))],
    [say("uptime"), uptimeDuration ? lasting(uptimeDuration) : ""],
  ];
  return (
    <dl class="tiles">
      {lines.map(([name, value]) => (
        <div key={name} class="panel tile number">
          <dt class="quiet">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface ChartsProps {
  readonly snapshots: readonly Statistics[];
  readonly newest: Statistics;
}

function Charts({ snapshots, newest }: ChartsProps): JSX.Element {
  const rates = useMemo(
    () =>
      columnsOf(
        snapshots,
        (snapshot) => snapshot.publishedPerSecond,
        (snapshot) => snapshot.deliveredPerSecond,
      ),
    [snapshots],
  );
  const load = useMemo(
    () =>
      columnsOf(
        snapshots,
        (snapshot) => snapshot.subscriberCount,
        (snapshot) => Number(snapshot.pendingEvents),
      ),
    [snapshots],
  );
  return (
    <div class="charts">
      <Chart
        title={say("rate")}
        text={say("rate.now", {
          published: decimal(newest.publishedPerSecond),
          delivered: decimal(newest.deliveredPerSecond),
        })}
        columns={rates}
        names={[say("published"), say("delivered")]}
      />
      <Chart
        title={say("load")}
        text={say("load.now", {
          subscribers: newest.subscriberCount,
          pending: count(newest.pendingEvents),
        })}
        columns={load}
        names={[say("subscribers"), say("pending")]}
      />
    </div>
  );
}

function Subscribers({
  subscribers,
}: {
  readonly subscribers: readonly SubscriberStatistics[];
}): JSX.Element {
  if (subscribers.length === 0) return <p class="quiet">{say("nobody")}</p>;
  return (
    <div class="panel table" role="region" aria-label={say("subscribers")} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{say("connection")}</th>
            <th scope="col">{say("lag")}</th>
            <th scope="col">{say("delivered")}</th>
            <th scope="col">{say("dropped")}</th>
          </tr>
        </thead>
        <tbody>
          {subscribers.map((subscriber) => (
            <tr key={subscriber.connectionId}>
              <td class="mono">{subscriber.connectionId}</td>
              <td>{say("lag.events", { count: count(subscriber.lagEvents) })}</td>
              <td>{count(subscriber.delivered)}</td>
              <td>{count(subscriber.dropped)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Hours, minutes and seconds, `1:02:03`. */
export function lasting(duration: Duration): string {
  const seconds = Number(duration.seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
