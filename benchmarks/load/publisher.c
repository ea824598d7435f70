#include "publisher.h"

#define HEAD_BYTES 64

static const char PUBLISH[] = "/vidence.event.v1.EventService/Publish";
static const char PUBLISH_STREAM[] = "/vidence.event.v1.EventService/PublishStream";

/* Takes whole gRPC messages, each after its prefix, out of the stream's bytes. */
static void stream_data(void *owner, uint32_t stream, const uint8_t *data, size_t length)
{
    struct publisher *publisher = owner;
    struct bytes *response = &publisher->response;
    (void)stream;
    publisher->live = 1;
    bytes_add(response, data, length);
    while (bytes_length(response) >= 5) {
        const uint8_t *prefix = response->memory + response->begin;
        size_t size = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
        if (bytes_length(response) < 5 + size)
            break;
        results_count(&publisher->results, prefix + 5, size, 1);
        bytes_drop(response, 5 + size);
    }
}

static void stream_ended(void *owner, uint32_t stream)
{
    (void)owner;
    die("the server ended PublishStream (stream %u)", stream);
}

/* A unary call is all or nothing, and one that failed has no response message. */
static void unary_data(void *owner, uint32_t stream, const uint8_t *data, size_t length)
{
    struct publisher *publisher = owner;
    (void)data;
    (void)length;
    publisher->has_response[stream / 2 % MOST_CALLS] = 1;
}

static void unary_ended(void *owner, uint32_t stream)
{
    struct publisher *publisher = owner;
    uint8_t *has_response = &publisher->has_response[stream / 2 % MOST_CALLS];
    if (*has_response)
        publisher->results.taken += publisher->batch;
    else
        publisher->results.refused += publisher->batch;
    *has_response = 0;
}

static void nats_received(void *owner, const uint8_t *data, size_t length)
{
    struct publisher *publisher = owner;
    if (memmem(data, length, "PONG\r\n", 6) != NULL)
        publisher->results.taken = publisher->sent;
}

/* Each PUBLISH is answered by ":<subscribers>\r\n". */
static void redis_received(void *owner, const uint8_t *data, size_t length)
{
    struct publisher *publisher = owner;
    for (size_t place = 0; place < length; place++)
        publisher->results.taken += data[place] == '\n';
}

static void publisher_closed(void *owner)
{
    (void)owner;
    die("the server closed the publisher's connection");
}

static const struct http2_events STREAMING = {stream_data, stream_ended, publisher_closed};
static const struct http2_events CALLING = {unary_data, unary_ended, publisher_closed};

static void open_text(struct publisher *publisher, int epoll, int port)
{
    static const char CONNECT[] = "CONNECT {\"verbose\":false}\r\n";
    wire_open(&publisher->wire, epoll, port);
    publisher->wire.owner = publisher;
    publisher->wire.received = publisher->kind == NATS_PUB ? nats_received : redis_received;
    publisher->wire.closed = publisher_closed;
    if (publisher->kind == NATS_PUB)
        wire_send(&publisher->wire, CONNECT, sizeof CONNECT - 1);
    publisher->live = 1;
}

static void open_http2(struct publisher *publisher, int epoll, int port)
{
    struct http2 *connection = &publisher->http2;
    connection->owner = publisher;
    connection->events = publisher->kind == STREAM ? &STREAMING : &CALLING;
    http2_open(connection, epoll, port, publisher->kind == STREAM ? 1 : 0);
    if (publisher->kind == STREAM)
        connection->upload_stream = http2_call(connection, PUBLISH_STREAM);
    else
        publisher->live = 1;
}

void publisher_open(struct publisher *publisher, enum publishing kind, int epoll, int port, unsigned batch,
                    uint64_t first)
{
    publisher->kind = kind;
    publisher->batch = batch;
    publisher->first = first;
    publisher->request = allocated(PUBLISH_REQUEST_BYTES(batch), 1);
    if (kind == STREAM || kind == UNARY)
        open_http2(publisher, epoll, port);
    else if (kind != NOBODY)
        open_text(publisher, epoll, port);
}

int publisher_ready(const struct publisher *publisher)
{
    const struct http2 *connection = &publisher->http2;
    switch (publisher->kind) {
    case STREAM:
        return bytes_length(&connection->upload) == 0 && bytes_length(&connection->wire.pending) == 0;
    case UNARY:
        return connection->window >= (int64_t)PUBLISH_REQUEST_BYTES(publisher->batch) + 5
            && bytes_length(&connection->wire.pending) == 0;
    default:
        return bytes_length(&publisher->wire.pending) == 0;
    }
}

static void send_text(struct publisher *publisher, uint64_t number)
{
    uint8_t text[HEAD_BYTES + EVENT_BYTES];
    const char *form = publisher->kind == NATS_PUB ? "PUB events %d\r\n"
                                                   : "*3\r\n$7\r\nPUBLISH\r\n$6\r\nevents\r\n$%d\r\n";
    int length = snprintf((char *)text, HEAD_BYTES, form, EVENT_BYTES);
    event_write(text + length, now_ns(), number);
    length += EVENT_BYTES;
    text[length++] = '\r';
    text[length++] = '\n';
    wire_send(&publisher->wire, text, (size_t)length);
}

void publisher_send(struct publisher *publisher)
{
    uint64_t number = publisher->first + publisher->sent + 1;
    if (publisher->kind == NATS_PUB || publisher->kind == REDIS_PUBLISH) {
        for (unsigned place = 0; place < publisher->batch; place++)
            send_text(publisher, number + place);
    } else {
        struct http2 *connection = &publisher->http2;
        size_t length = publish_request_write(publisher->request, publisher->batch, now_ns(), number);
        if (publisher->kind == STREAM)
            http2_upload(connection, publisher->request, length);
        else
            http2_request(connection, http2_call(connection, PUBLISH), publisher->request, length);
    }
    publisher->sent += publisher->batch;
}

void publisher_finish(struct publisher *publisher)
{
    if (publisher->kind == NATS_PUB)
        wire_send(&publisher->wire, "PING\r\n", 6);
}

uint64_t publisher_answered(const struct publisher *publisher)
{
    return publisher->results.taken + publisher->results.refused;
}
