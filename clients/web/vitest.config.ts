import { defineConfig } from "vitest/config";

import { resolution } from "./resolution";

export default defineConfig({
  resolve: resolution,
  test: {
    include: ["client/src/**/*.test.ts", "examples/**/*.test.ts", "app/src/**/*.test.{ts,tsx}"],
    environment: "jsdom",
    // One jsdom for all files: making one each takes five times as long as the tests themselves.
    isolate: false,
  },
});
