#include "subscriber.h"

#include "event.h"

static const char SUBSCRIBE[] = "/vidence.event.v1.EventService/Subscribe";
static const char LIST_EVENTS[] = "/vidence.event.v1.EventService/ListEvents";
/* NATS also sends PING every two minutes; no measurement is that long. */
static const char NATS_SUBSCRIBE[] = "CONNECT {\"verbose\":false}\r\nSUB events 1\r\nPING\r\n";
static const char REDIS_SUBSCRIBE[] = "*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\nevents\r\n";
static const uint8_t PAGE_OF_50[] = {5 << 3, 50};

static void become_live(struct subscriber *subscriber, unsigned place)
{
    if (subscriber->is_live[place])
        return;
    subscriber->is_live[place] = 1;
    subscriber->live++;
}

/* The first message of a gRPC stream says that the subscription is live. */
static void stream_data(void *owner, uint32_t stream, const uint8_t *data, size_t length)
{
    struct subscriber *subscriber = owner;
    unsigned place = (stream - 1) / 2;
    become_live(subscriber, place);
    scanner_feed(&subscriber->scanners[place], subscriber->tally, now_ns(), data, length);
}

static void stream_ended(void *owner, uint32_t stream)
{
    struct subscriber *subscriber = owner;
    (void)stream;
    subscriber->ended++;
}

static void connection_closed(void *owner)
{
    struct subscriber *subscriber = owner;
    subscriber->ended = subscriber->streams;
}

static void page_data(void *owner, uint32_t stream, const uint8_t *data, size_t length)
{
    struct subscriber *subscriber = owner;
    (void)stream;
    subscriber->asking = 2;
    scanner_feed(&subscriber->scanners[0], subscriber->tally, now_ns(), data, length);
}

static void page_ended(void *owner, uint32_t stream)
{
    struct subscriber *subscriber = owner;
    (void)stream;
    if (subscriber->asking != 2)
        die("a list was refused");
    subscriber->asking = 0;
    subscriber->polls++;
    become_live(subscriber, 0);
    scanner_page_end(&subscriber->scanners[0], subscriber->tally);
}

static void text_received(void *owner, const uint8_t *data, size_t length)
{
    struct subscriber *subscriber = owner;
    if (!subscriber->live && (subscriber->protocol == REDIS || memmem(data, length, "PONG\r\n", 6) != NULL))
        become_live(subscriber, 0);
    scanner_feed(&subscriber->scanners[0], subscriber->tally, now_ns(), data, length);
}

static const struct http2_events STREAMING = {stream_data, stream_ended, connection_closed};
static const struct http2_events POLLING = {page_data, page_ended, connection_closed};

static void open_http2(struct subscriber *subscriber, const struct http2_events *events, int epoll, int port)
{
    subscriber->http2.events = events;
    subscriber->http2.owner = subscriber;
    http2_open(&subscriber->http2, epoll, port, subscriber->streams);
}

static void prepare(struct subscriber *subscriber, enum protocol protocol, unsigned streams, struct tally *tally)
{
    subscriber->protocol = protocol;
    subscriber->tally = tally;
    subscriber->streams = streams;
    subscriber->scanners = allocated(streams, sizeof(struct scanner));
    subscriber->is_live = allocated(streams, 1);
}

void subscriber_open(struct subscriber *subscriber, enum protocol protocol, int epoll, int port, unsigned streams,
                     struct tally *tally)
{
    prepare(subscriber, protocol, streams, tally);
    if (protocol == GRPC) {
        open_http2(subscriber, &STREAMING, epoll, port);
        for (unsigned place = 0; place < streams; place++) {
            uint32_t stream = http2_call(&subscriber->http2, SUBSCRIBE);
            http2_request(&subscriber->http2, stream, NULL, 0);
        }
        return;
    }
    wire_open(&subscriber->wire, epoll, port);
    subscriber->wire.owner = subscriber;
    subscriber->wire.received = text_received;
    subscriber->wire.closed = connection_closed;
    if (protocol == NATS)
        wire_send(&subscriber->wire, NATS_SUBSCRIBE, sizeof NATS_SUBSCRIBE - 1);
    else
        wire_send(&subscriber->wire, REDIS_SUBSCRIBE, sizeof REDIS_SUBSCRIBE - 1);
}

void subscriber_poll(struct subscriber *subscriber, int epoll, int port, uint64_t period_ns, uint64_t due_ns,
                     uint64_t seen, struct tally *tally)
{
    prepare(subscriber, GRPC, 1, tally);
    subscriber->period_ns = period_ns;
    subscriber->due_ns = due_ns;
    subscriber->scanners[0].pages = 1;
    subscriber->scanners[0].seen = subscriber->scanners[0].highest = seen;
    open_http2(subscriber, &POLLING, epoll, port);
}

void subscriber_tick(struct subscriber *subscriber, uint64_t now)
{
    if (subscriber->asking || now < subscriber->due_ns)
        return;
    subscriber->asking = 1;
    subscriber->due_ns += subscriber->period_ns;
    uint32_t stream = http2_call(&subscriber->http2, LIST_EVENTS);
    http2_request(&subscriber->http2, stream, PAGE_OF_50, sizeof PAGE_OF_50);
}

uint64_t subscriber_received_bytes(const struct subscriber *subscriber)
{
    return subscriber->protocol == GRPC ? subscriber->http2.wire.received_bytes : subscriber->wire.received_bytes;
}
