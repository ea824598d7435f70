/* What everything here stands on: time, the end of the program, bytes that grow. */
#ifndef LOAD_BASE_H
#define LOAD_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000ull

/* Monotonic time: publisher and subscribers are one process, so its stamps can be compared. */
static inline uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

/* Ends the program: a measurement that went wrong must not give a figure. */
#define die(...) (fprintf(stderr, "load: " __VA_ARGS__), fputc('\n', stderr), exit(1))

static inline void *allocated(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory == NULL)
        die("out of memory");
    return memory;
}

/* Bytes that grow at their end and are taken from their start. */
struct bytes {
    uint8_t *memory;
    size_t begin, end, capacity;
};

static inline size_t bytes_length(const struct bytes *bytes)
{
    return bytes->end - bytes->begin;
}

static inline void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
    if (bytes->end + length > bytes->capacity) {
        memmove(bytes->memory, bytes->memory + bytes->begin, bytes_length(bytes));
        bytes->end -= bytes->begin;
        bytes->begin = 0;
    }
    if (bytes->end + length > bytes->capacity) {
        bytes->capacity = 2 * (bytes->end + length);
        bytes->memory = realloc(bytes->memory, bytes->capacity);
        if (bytes->memory == NULL)
            die("out of memory");
    }
    memcpy(bytes->memory + bytes->end, data, length);
    bytes->end += length;
}

static inline void bytes_drop(struct bytes *bytes, size_t length)
{
    bytes->begin += length;
    if (bytes->begin == bytes->end)
        bytes->begin = bytes->end = 0;
}

#endif
