/* The one connection that publishes. */
#ifndef LOAD_PUBLISHER_H
#define LOAD_PUBLISHER_H

#include "event.h"
#include "http2.h"

enum publishing { NOBODY, STREAM, UNARY, NATS_PUB, REDIS_PUBLISH };

#define MOST_CALLS 4096 /* unary calls in flight */

struct publisher {
    enum publishing kind;
    struct http2 http2; /* of STREAM and UNARY */
    struct wire wire;   /* of the others */
    unsigned batch;     /* events per message */
    uint64_t first, sent;
    struct results results;
    uint8_t *request;
    struct bytes response;            /* of STREAM: a message that is not whole yet */
    uint8_t has_response[MOST_CALLS]; /* of UNARY: by stream, modulo */
    int live;
};

/* Connects; numbers of events begin behind `first`. */
void publisher_open(struct publisher *publisher, enum publishing kind, int epoll, int port, unsigned batch,
                    uint64_t first);

/* Whether everything that was sent has left this process: what is sent now need not wait here. */
int publisher_ready(const struct publisher *publisher);

/* Sends one message with `batch` events, marked with the present time. */
void publisher_send(struct publisher *publisher);

/* Lets NATS, which answers no PUB, say that it took everything. */
void publisher_finish(struct publisher *publisher);

/* Events whose fate is known. */
uint64_t publisher_answered(const struct publisher *publisher);

#endif
