#include "marker.h"

static const char DIGITS[] = "0123456789abcdef";

static void write_hex(uint8_t *target, uint64_t value)
{
    for (int place = 15; place >= 0; place--, value >>= 4)
        target[place] = (uint8_t)DIGITS[value & 15];
}

static int read_hex(const uint8_t *text, uint64_t *value)
{
    *value = 0;
    for (int place = 0; place < 16; place++) {
        uint8_t digit = text[place];
        if (digit >= '0' && digit <= '9')
            *value = *value << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *value = *value << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return 0;
    }
    return 1;
}

void mark_write(uint8_t *target, uint64_t time_ns, uint64_t number)
{
    target[0] = target[1] = '@';
    write_hex(target + 2, time_ns);
    write_hex(target + 18, number);
}

static void count(struct scanner *scanner, struct tally *tally, uint64_t now, uint64_t written_ns, uint64_t number)
{
    if (scanner->pages) {
        if (number <= scanner->seen)
            return;
        scanner->page_received++;
    } else if (scanner->received > 0) {
        tally->repetitions += number <= scanner->highest;
        tally->holes += number > scanner->highest + 1;
    }
    if (number > scanner->highest)
        scanner->highest = number;
    scanner->received++;
    tally->received++;
    if (tally->first_ns == 0)
        tally->first_ns = now;
    tally->last_ns = now;
    histogram_add(&tally->latencies, now > written_ns ? now - written_ns : 0);
}

/* Counts the marks that are whole; returns where the first one that may be cut off begins, or `length`. */
static size_t scan(struct scanner *scanner, struct tally *tally, uint64_t now, const uint8_t *data, size_t length)
{
    const uint8_t *at = data, *end = data + length;
    while (at < end && (at = memchr(at, '@', (size_t)(end - at))) != NULL) {
        uint64_t written_ns, number;
        if (at + 1 < end && at[1] != '@') {
            at += 2;
        } else if (end - at < MARK_BYTES) {
            return (size_t)(at - data);
        } else if (read_hex(at + 2, &written_ns) && read_hex(at + 18, &number)) {
            count(scanner, tally, now, written_ns, number);
            at += MARK_BYTES;
        } else {
            at++;
        }
    }
    return length;
}

void scanner_feed(struct scanner *scanner, struct tally *tally, uint64_t now, const uint8_t *data, size_t length)
{
    size_t begin = 0;
    if (scanner->carried_length > 0) {
        uint8_t joint[2 * MARK_BYTES];
        size_t old = scanner->carried_length;
        size_t added = length < MARK_BYTES - 1 ? length : MARK_BYTES - 1;
        memcpy(joint, scanner->carried, old);
        memcpy(joint + old, data, added);
        size_t open = scan(scanner, tally, now, joint, old + added);
        if (open < old) { /* only where all of `data` went into the joint */
            scanner->carried_length = (unsigned)(old + added - open);
            memcpy(scanner->carried, joint + open, scanner->carried_length);
            return;
        }
        begin = open - old;
    }
    size_t open = begin + scan(scanner, tally, now, data + begin, length - begin);
    scanner->carried_length = (unsigned)(length - open);
    memcpy(scanner->carried, data + open, scanner->carried_length);
}

void scanner_page_end(struct scanner *scanner, struct tally *tally)
{
    tally->holes += scanner->highest - scanner->seen - scanner->page_received;
    scanner->seen = scanner->highest;
    scanner->page_received = 0;
    scanner->carried_length = 0;
}
