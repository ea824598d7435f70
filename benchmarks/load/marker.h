/* Marks inside events, found again in whatever a protocol wraps around them.
 *
 * A mark is "@@", 16 hex digits of the time it was written (ns) and 16 of its number. Numbers rise by one from
 * mark to mark, so a stream that skips one has a hole.
 */
#ifndef LOAD_MARKER_H
#define LOAD_MARKER_H

#include "base.h"
#include "histogram.h"

#define MARK_BYTES 34

/* What all streams saw together. */
struct tally {
    struct histogram latencies;
    uint64_t received, holes, repetitions, first_ns, last_ns;
};

/* One stream of marks. */
struct scanner {
    uint64_t received, highest;
    uint8_t carried[MARK_BYTES];
    unsigned carried_length;
    /* Pages of a list hold the newest first, and some again and again: only marks above `seen` count. */
    int pages;
    uint64_t seen, page_received;
};

void mark_write(uint8_t *target, uint64_t time_ns, uint64_t number);

/* Finds the marks in the next bytes of a stream, also those cut in two; `now` is when the bytes came. */
void scanner_feed(struct scanner *scanner, struct tally *tally, uint64_t now, const uint8_t *data, size_t length);

/* A page ended: what follows is the next one. */
void scanner_page_end(struct scanner *scanner, struct tally *tally);

#endif
