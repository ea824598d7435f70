/** Vidence in a browser: typed calls, watches that resume, results that fall back to one call. */
export { type Failure, failureOf, isPassing } from "./errors";
export { type Asking, ask } from "./results";
export { connectTo } from "./transport";
export { Watch, type WatchOptions, type WatchResponse, type WatchState } from "./watch";
