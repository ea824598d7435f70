// Where imports are found, for the build and for the tests alike.
import { fileURLToPath } from "node:url";

/** Absolute path of something in the repository, from this folder. */
export const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Generated code lies outside this folder and still uses this folder's packages. */
export const resolution = {
  alias: {
    "@protos": path("../../gen/ts"),
    "@vidence/client": path("client/src/index.ts"),
  },
  dedupe: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web", "preact"],
};
