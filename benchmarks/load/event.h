/* Events of this benchmark, encoded as `vidence.event.v1.Event`, and the requests that carry them.
 *
 * Every event has EVENT_BYTES bytes, whatever bus carries it. Its content is a mark and a filler.
 */
#ifndef LOAD_EVENT_H
#define LOAD_EVENT_H

#include "marker.h"

#define EVENT_BYTES 200
#define MOST_EVENTS 1000

/* What `vidence.event.v1.Durability` calls 0 (unset: the server's default) to 3. */
void event_durability(int durability);

void event_write(uint8_t *target, uint64_t time_ns, uint64_t number);

/* Encodes `PublishRequest` or `PublishStreamRequest`, which are alike: `count` events from `number` on. */
size_t publish_request_write(uint8_t *target, unsigned count, uint64_t time_ns, uint64_t number);

#define PUBLISH_REQUEST_BYTES(count) ((size_t)(count) * (EVENT_BYTES + 3) + 2)

/* What became of the events of a call, as its answers tell. */
struct results {
    uint64_t taken, refused;
};

/* Counts the results in a `PublishResponse`, or in the `publish_results` of a `PublishStreamResponse`. */
void results_count(struct results *results, const uint8_t *message, size_t length, int streamed);

#endif
