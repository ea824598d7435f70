import type { JSX } from "preact";

import { shared } from "../words";

/** Leads to the page where several people look at something together. */
export function ReviewLink({ subject }: { readonly subject: string }): JSX.Element {
  return (
    <a class="review-link" href={`/review?of=${encodeURIComponent(subject)}`}>
      {shared("review")}
    </a>
  );
}
