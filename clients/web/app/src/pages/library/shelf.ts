import type { Client } from "@connectrpc/connect";
import { signal } from "@preact/signals";
import type { Library } from "@protos/vidence/library/v1/library_pb";
import type { LibraryEvent, LibraryService } from "@protos/vidence/library/v1/library_service_pb";
import { OnExpired } from "@protos/vidence/stream/v1/stream_control_pb";
import { Watch } from "@vidence/client";

import { again } from "../../parts/again";

type Service = Client<typeof LibraryService>;

/** All libraries, by their ids. */
export async function allLibraries(
  service: Service,
  signal: AbortSignal,
  onWaiting: (waiting: boolean) => void,
): Promise<readonly Library[]> {
  const found: Library[] = [];
  let pageToken = "";
  do {
    const request = { pageSize: 1000, pageToken };
    const page = await again(() => service.listLibraries(request, { signal }), { signal, onWaiting });
    found.push(...page.libraries);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

/** How many documents a library has, as they come and go. */
export class DocumentCount {
  readonly value = signal<number | undefined>(undefined);
  readonly #service: Service;
  #watch: Watch<LibraryEvent> | undefined;
  readonly #call = new AbortController();

  constructor(service: Service) {
    this.#service = service;
  }

  /** Begins with what the library says of itself, and counts every change after exactly that. */
  async follow(libraryId: string): Promise<void> {
    const { signal } = this.#call;
    const { library } = await again(() => this.#service.getLibrary({ libraryId }, { signal }), { signal });
    if (library === undefined) return;
    this.value.value = Number(library.documentCount);
    this.#watch = new Watch<LibraryEvent>({
      open: (cursor, call) =>
        this.#service.watchLibrary(
          {
            libraryId,
            types: ["document.created", "document.deleted"],
            onExpired: OnExpired.GAP,
            start: cursor
              ? { case: "afterCursor", value: cursor }
              : { case: "afterRevision", value: library.revision },
          },
          { signal: call },
        ),
      // What was missed cannot be counted: begin anew with what the library says.
      onGap: () => {
        this.#watch?.close();
        void this.follow(libraryId);
      },
      onEvents: (events) => {
        const came = events.filter((event) => event.payload.case === "documentCreated").length;
        const went = events.filter((event) => event.payload.case === "documentDeleted").length;
        this.value.value = (this.value.value ?? 0) + came - went;
      },
    });
    void this.#watch.start();
  }

  close(): void {
    this.#call.abort();
    this.#watch?.close();
  }
}
