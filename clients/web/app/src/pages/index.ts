import type { ComponentType } from "preact";

import { batch } from "./batch";
import { capturePage } from "./capture";
import { dashboard } from "./dashboard";
import { library } from "./library";
import { reviewPage } from "./review";
import { sessionsPage } from "./sessions";
import { systemPage } from "./system";

/** One page of the application: a folder of this one, and a line in `PAGES`. */
export interface Page {
  readonly path: string;
  readonly title: () => string;
  readonly component: ComponentType;
}

/** In the order of the navigation. */
export const PAGES: readonly Page[] = [
  dashboard,
  capturePage,
  sessionsPage,
  batch,
  library,
  reviewPage,
  systemPage,
];
