/* Connections that receive: streams of gRPC, subscriptions of NATS or Redis, or a list that is polled. */
#ifndef LOAD_SUBSCRIBER_H
#define LOAD_SUBSCRIBER_H

#include "http2.h"
#include "marker.h"

enum protocol { GRPC, NATS, REDIS };

struct subscriber {
    enum protocol protocol;
    struct http2 http2; /* of GRPC */
    struct wire wire;   /* of the others */
    struct tally *tally;
    struct scanner *scanners; /* one per stream */
    unsigned streams, live, ended;
    uint8_t *is_live;
    /* Polling: one request at a time, every `period_ns`. */
    uint64_t period_ns, due_ns, polls;
    int asking;
};

/* Connects and subscribes with `streams` streams; NATS and Redis have one. */
void subscriber_open(struct subscriber *subscriber, enum protocol protocol, int epoll, int port, unsigned streams,
                     struct tally *tally);

/* Connects and lists events every `period_ns`, for the first time at `due_ns`; only marks above `seen` count. */
void subscriber_poll(struct subscriber *subscriber, int epoll, int port, uint64_t period_ns, uint64_t due_ns,
                     uint64_t seen, struct tally *tally);

/* Asks for the next page where it is time. */
void subscriber_tick(struct subscriber *subscriber, uint64_t now);

uint64_t subscriber_received_bytes(const struct subscriber *subscriber);

#endif
