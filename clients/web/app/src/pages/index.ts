import type { ComponentType } from "preact";

import { dashboard } from "./dashboard";

/** One page of the application: a folder of this one, and a line in `PAGES`. */
export interface Page {
  readonly path: string;
  readonly title: () => string;
  readonly component: ComponentType;
}

/** In the order of the navigation. */
export const PAGES: readonly Page[] = [dashboard];
