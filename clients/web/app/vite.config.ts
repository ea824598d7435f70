import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

import { path, resolution } from "../resolution";

export default defineConfig({
  root: path("app"),
  plugins: [preact()],
  resolve: resolution,
  // No inlined files: the Content-Security-Policy of the bridge allows none.
  build: { outDir: "dist", emptyOutDir: true, assetsInlineLimit: 0, target: "es2022" },
  server: { fs: { allow: [path("../..")] } },
});
