import type { Client } from "@connectrpc/connect";
import { signal } from "@preact/signals";
import type { LibraryService } from "@protos/vidence/library/v1/library_service_pb";
import type { Hit } from "@protos/vidence/library/v1/search_pb";

type Service = Pick<Client<typeof LibraryService>, "getDocument">;

/** Texts asked for at the same time. */
const LANES = 4;
/** Texts that are kept; beyond that all are asked for anew. */
const KEPT = 500;

const keyOf = ({ documentId, version }: Hit): string => `${version} ${documentId}`;

/** Texts of documents: the lists of live queries do not have them. */
export class Texts {
  /** By version and id. */
  readonly #known = signal<ReadonlyMap<string, string>>(new Map());
  readonly #service: Service;
  readonly #libraryId: string;
  readonly #asked = new Set<string>();
  #waiting: Hit[] = [];
  #lanes = 0;

  constructor(service: Service, libraryId: string) {
    this.#service = service;
    this.#libraryId = libraryId;
  }

  /** The text of a hit; empty until it is there. */
  of(hit: Hit): string {
    return hit.text || (this.#known.value.get(keyOf(hit)) ?? "");
  }

  /** Fetches the texts of a list, its first ones first; those that an earlier list still waited for are left out. */
  want(hits: readonly Hit[]): void {
    if (this.#asked.size > KEPT) this.#asked.clear();
    this.#waiting = hits.filter((hit) => hit.text === "" && !this.#asked.has(keyOf(hit)));
    while (this.#lanes < LANES && this.#waiting.length > 0) void this.#lane();
  }

  async #lane(): Promise<void> {
    this.#lanes += 1;
    for (let hit = this.#waiting.shift(); hit !== undefined; hit = this.#waiting.shift()) {
      const key = keyOf(hit);
      this.#asked.add(key);
      const request = { libraryId: this.#libraryId, documentId: hit.documentId };
      // A document that is gone by now leaves the list by itself.
      const text = await this.#service.getDocument(request).then(
        (answer) => answer.document?.text ?? "",
        () => "",
      );
      const before = this.#known.value.size > KEPT ? [] : this.#known.value;
      this.#known.value = new Map([...before, [key, text]]);
    }
    this.#lanes -= 1;
  }
}
