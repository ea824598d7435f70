/* A TCP connection of the loopback that never blocks. */
#ifndef LOAD_WIRE_H
#define LOAD_WIRE_H

#include "base.h"

struct wire {
    int fd, epoll;
    struct bytes pending; /* what the kernel did not take yet */
    uint64_t received_bytes;
    void *owner;
    void (*received)(void *owner, const uint8_t *data, size_t length);
    void (*closed)(void *owner);
};

/* Connects; `owner`, `received` and `closed` are set by the caller before the first event. */
void wire_open(struct wire *wire, int epoll, int port);

void wire_send(struct wire *wire, const void *data, size_t length);

/* Handles what epoll told about the wire. */
void wire_event(struct wire *wire, uint32_t events);

#endif
