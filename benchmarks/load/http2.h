/* The client's side of HTTP/2 (RFC 9113), as far as gRPC calls that are all alike need it.
 *
 * Request headers are sent without compression, response headers are not read: whether a call went well is told by
 * its messages. Flow control, SETTINGS and PING are complete.
 */
#ifndef LOAD_HTTP2_H
#define LOAD_HTTP2_H

#include "wire.h"

struct http2_events {
    void (*data)(void *owner, uint32_t stream, const uint8_t *data, size_t length);
    /* The server ended a stream, by trailers or by a reset. */
    void (*ended)(void *owner, uint32_t stream);
    void (*closed)(void *owner);
};

struct http2 {
    struct wire wire;
    const struct http2_events *events;
    void *owner;
    uint32_t next_stream;
    int lost; /* GOAWAY, or the end of the connection */

    /* The frame that is being received; control frames are gathered in `body`. */
    uint8_t head[9], body[256];
    size_t head_length, body_length;
    uint32_t left, stream;
    uint8_t type, flags;

    /* Receiving: bytes since the last WINDOW_UPDATE, of the connection and of the first streams. */
    uint64_t unreported;
    uint32_t *unreported_by_stream, watched_streams;

    /* Sending: windows of the connection and of the one stream that uploads; what did not fit yet. */
    int64_t window, upload_window;
    uint32_t upload_stream, initial_window;
    struct bytes upload;
};

/* Connects. The windows of the first `watched_streams` streams are kept open; later ones must need less than one. */
void http2_open(struct http2 *connection, int epoll, int port, uint32_t watched_streams);

/* Starts a gRPC call and returns its stream. */
uint32_t http2_call(struct http2 *connection, const char *path);

/* Sends a whole request message, below the initial window, and ends the request. */
void http2_request(struct http2 *connection, uint32_t stream, const uint8_t *message, size_t length);

/* Sends a message on `upload_stream`, as its windows allow. */
void http2_upload(struct http2 *connection, const uint8_t *message, size_t length);

#endif
