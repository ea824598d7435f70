import "uplot/dist/uPlot.min.css";

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

import { language } from "../../language";
import { textSize } from "../../parts/text_size";
import { scheme } from "../../scheme";
import type { Columns } from "./bus";

interface Props {
  readonly title: string;
  /** What it shows now, for those who cannot see it. */
  readonly text: string;
  readonly columns: Columns;
  /** Name of each line. */
  readonly names: readonly string[];
}

const HEIGHT_PX = 220;
const AXIS_TEXT_PX = 12;
/** What is shown: five minutes up to the newest point. */
const SHOWN_S = 300;
/** A quiet line is no mountain range. */
const LOWEST_TOP = 4;
/** Tokens of the lines' colours, in their order. */
const COLOURS = ["--accent", "--good", "--warning"] as const;

/** Lines over time. */
export function Chart({ title, text, columns, names }: Props): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const heightPx = HEIGHT_PX * textSize.value;
  const key = `${names.join("|")} ${scheme.value} ${language.value} ${heightPx}`;
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const drawn = new uPlot(optionsOf(element, names), [[]], element);
    plot.current = drawn;
    const resized = new ResizeObserver(() => {
      drawn.setSize({ width: element.clientWidth, height: heightPx });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
    // Colours and words are fixed when it is made.
  }, [key]);
  useEffect(() => {
    plot.current?.setData(columns.map((column) => [...column]) as uPlot.AlignedData);
  }, [columns, key]);
  return (
    <figure class="panel chart">
      <figcaption class="row spread">
        <h3>{title}</h3>
        <Legend names={names} />
      </figcaption>
      <div role="img" aria-label={`${title}: ${text}`} ref={place} />
    </figure>
  );
}

function Legend({ names }: { readonly names: readonly string[] }): JSX.Element {
  return (
    <span class="row legend">
      {names.map((name, index) => (
        <span key={name} class={`line-${index}`}>
          {name}
        </span>
      ))}
    </span>
  );
}

function optionsOf(element: HTMLElement, names: readonly string[]): uPlot.Options {
  const font = `${AXIS_TEXT_PX * textSize.value}px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: colour(element, "--text-quiet"), ticks: { show: false }, font };
  const grid = { stroke: colour(element, "--line"), width: 1 };
  const time = new Intl.DateTimeFormat(language.value, { timeStyle: "medium" });
  const number = new Intl.NumberFormat(language.value, { maximumFractionDigits: 1 });
  return {
    width: element.clientWidth,
    height: HEIGHT_PX * textSize.value,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: ({ data }) => lastMinutes(data[0].at(-1)) },
      y: { range: (_, __, highest) => [0, Math.max(LOWEST_TOP, highest * 1.1)] },
    },
    series: [
      {},
      ...names.map((label, index) => ({
        label,
        width: 2,
        stroke: colour(element, COLOURS[index % COLOURS.length] ?? "--accent"),
        points: { show: false },
      })),
    ],
    axes: [
      {
        ...axis,
        grid: { show: false },
        values: (_, splits) => splits.map((at) => time.format(at * 1000)),
        space: 110 * textSize.value,
        incrs: [15, 30, 60, 120],
      },
      {
        ...axis,
        grid,
        values: (_, splits) => splits.map((value) => number.format(value)),
        size: 56 * textSize.value,
      },
    ],
  };
}

/** Five minutes that end with the newest point, or now where there is none yet; seconds since 1970. */
function lastMinutes(newestS = Date.now() / 1000): [number, number] {
  return [newestS - SHOWN_S, newestS];
}

/** A colour token as a canvas understands it. */
function colour(element: HTMLElement, token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  element.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return computed;
}
