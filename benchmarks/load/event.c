#include "event.h"

#define SOURCE "bench/load"
#define TYPE "load.sent"
#define CONTENT_TYPE "text/plain"
#define ID_DIGITS 16
#define CONTENT_BYTES 141

enum wire_type { VARINT = 0, FIXED64 = 1, DELIMITED = 2, FIXED32 = 5 };

static int asked_durability;

void event_durability(int durability)
{
    asked_durability = durability;
}

static uint8_t *put_varint(uint8_t *target, uint64_t value)
{
    for (; value > 127; value >>= 7)
        *target++ = (uint8_t)(value | 128);
    *target++ = (uint8_t)value;
    return target;
}

static uint8_t *put_head(uint8_t *target, unsigned field, size_t length)
{
    return put_varint(put_varint(target, field << 3 | DELIMITED), length);
}

static uint8_t *put_text(uint8_t *target, unsigned field, const char *text)
{
    size_t length = strlen(text);
    target = put_head(target, field, length);
    memcpy(target, text, length);
    return target + length;
}

void event_write(uint8_t *target, uint64_t time_ns, uint64_t number)
{
    uint8_t *at = target;
    char id[ID_DIGITS + 1];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)number);
    at = put_text(at, 4, SOURCE);
    at = put_text(at, 5, id);
    at = put_text(at, 6, TYPE);
    at = put_head(at, 12, 2 + strlen(CONTENT_TYPE) + 3 + CONTENT_BYTES); /* opaque */
    at = put_text(at, 1, CONTENT_TYPE);
    at = put_head(at, 2, CONTENT_BYTES);
    mark_write(at, time_ns, number);
    memset(at + MARK_BYTES, 'x', CONTENT_BYTES - MARK_BYTES);
    if (at + CONTENT_BYTES - target != EVENT_BYTES)
        die("an event of %td bytes", at + CONTENT_BYTES - target);
}

size_t publish_request_write(uint8_t *target, unsigned count, uint64_t time_ns, uint64_t number)
{
    uint8_t *at = target;
    for (unsigned place = 0; place < count; place++) {
        at = put_head(at, 1, EVENT_BYTES);
        event_write(at, time_ns, number + place);
        at += EVENT_BYTES;
    }
    if (asked_durability > 0) {
        at = put_varint(at, 2 << 3 | VARINT);
        at = put_varint(at, (uint64_t)asked_durability);
    }
    return (size_t)(at - target);
}

/* A protobuf message that is walked through; a broken one ends the program. */
struct walk {
    const uint8_t *at, *end;
    unsigned field;
    struct {
        const uint8_t *at;
        size_t length;
    } value; /* of DELIMITED fields only */
};

static uint64_t take_varint(struct walk *walk)
{
    uint64_t value = 0;
    for (unsigned shift = 0; walk->at < walk->end && shift < 64; shift += 7) {
        uint8_t byte = *walk->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    die("a response that is no protobuf message");
}

static int next_field(struct walk *walk)
{
    if (walk->at >= walk->end)
        return 0;
    uint64_t tag = take_varint(walk);
    size_t length = 0;
    walk->field = (unsigned)(tag >> 3);
    walk->value.length = 0;
    switch (tag & 7) {
    case VARINT:
        take_varint(walk);
        break;
    case FIXED64:
        length = 8;
        break;
    case FIXED32:
        length = 4;
        break;
    case DELIMITED:
        length = walk->value.length = (size_t)take_varint(walk);
        break;
    default:
        die("a response with wire type %u", (unsigned)(tag & 7));
    }
    if (length > (size_t)(walk->end - walk->at))
        die("a response that is cut off");
    walk->value.at = walk->at;
    walk->at += length;
    return 1;
}

static void count_result(struct results *results, const uint8_t *message, size_t length)
{
    struct walk walk = {.at = message, .end = message + length};
    int refused = 0;
    while (next_field(&walk))
        refused |= walk.field == 5; /* error */
    results->refused += (uint64_t)refused;
    results->taken += (uint64_t)!refused;
}

void results_count(struct results *results, const uint8_t *message, size_t length, int streamed)
{
    struct walk walk = {.at = message, .end = message + length};
    while (next_field(&walk)) {
        if (streamed && walk.field == 5) /* publish_results */
            results_count(results, walk.value.at, walk.value.length, 0);
        else if (streamed && walk.field == 7)
            die("the server ended the stream of results with an error");
        else if (!streamed && walk.field == 1)
            count_result(results, walk.value.at, walk.value.length);
    }
}
