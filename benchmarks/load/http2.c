#include "http2.h"

#define STREAM_WINDOW (1u << 20)
#define CONNECTION_WINDOW (1u << 30)
#define DEFAULT_WINDOW 65535
#define FRAME_BYTES 16384 /* what every peer takes */

enum frame { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum flag { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum setting { ENABLE_PUSH = 2, INITIAL_WINDOW_SIZE = 4 };

static void put32(uint8_t *target, uint32_t value)
{
    target[0] = (uint8_t)(value >> 24);
    target[1] = (uint8_t)(value >> 16);
    target[2] = (uint8_t)(value >> 8);
    target[3] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *source)
{
    return (uint32_t)source[0] << 24 | (uint32_t)source[1] << 16 | (uint32_t)source[2] << 8 | source[3];
}

static void send_frame(struct http2 *connection, enum frame type, int flags, uint32_t stream, const void *body,
                       size_t length)
{
    uint8_t frame[9 + FRAME_BYTES];
    frame[0] = (uint8_t)(length >> 16);
    frame[1] = (uint8_t)(length >> 8);
    frame[2] = (uint8_t)length;
    frame[3] = (uint8_t)type;
    frame[4] = (uint8_t)flags;
    put32(frame + 5, stream);
    memcpy(frame + 9, body, length);
    wire_send(&connection->wire, frame, 9 + length);
}

static void send_window_update(struct http2 *connection, uint32_t stream, uint32_t increment)
{
    uint8_t body[4];
    put32(body, increment);
    send_frame(connection, WINDOW_UPDATE, 0, stream, body, sizeof body);
}

/* A header field without indexing and without Huffman coding (RFC 7541, 6.2.2). */
static size_t literal(uint8_t *target, const char *name, const char *value)
{
    size_t name_length = strlen(name), value_length = strlen(value);
    target[0] = 0;
    target[1] = (uint8_t)name_length;
    memcpy(target + 2, name, name_length);
    target[2 + name_length] = (uint8_t)value_length;
    memcpy(target + 3 + name_length, value, value_length);
    return 3 + name_length + value_length;
}

uint32_t http2_call(struct http2 *connection, const char *path)
{
    uint8_t block[512];
    size_t length = 0;
    uint32_t stream = connection->next_stream;
    connection->next_stream += 2;
    block[length++] = 0x83; /* :method: POST, of the static table */
    block[length++] = 0x86; /* :scheme: http */
    length += literal(block + length, ":path", path);
    length += literal(block + length, ":authority", "127.0.0.1");
    length += literal(block + length, "content-type", "application/grpc");
    length += literal(block + length, "te", "trailers");
    send_frame(connection, HEADERS, END_HEADERS, stream, block, length);
    return stream;
}

/* A gRPC message is preceded by "not compressed" and its length. */
static void put_prefix(uint8_t *prefix, size_t length)
{
    prefix[0] = 0;
    put32(prefix + 1, (uint32_t)length);
}

void http2_request(struct http2 *connection, uint32_t stream, const uint8_t *message, size_t length)
{
    uint8_t body[FRAME_BYTES];
    if (5 + length > sizeof body)
        die("a unary request of %zu bytes", length);
    put_prefix(body, length);
    memcpy(body + 5, message, length);
    connection->window -= (int64_t)(5 + length);
    send_frame(connection, DATA, END_STREAM, stream, body, 5 + length);
}

static size_t least(int64_t first, int64_t second, size_t third)
{
    int64_t smaller = first < second ? first : second;
    if (smaller <= 0)
        return 0;
    return (size_t)smaller < third ? (size_t)smaller : third;
}

static void push_upload(struct http2 *connection)
{
    struct bytes *upload = &connection->upload;
    size_t part;
    while ((part = least(connection->window, connection->upload_window, bytes_length(upload))) > 0) {
        part = part < FRAME_BYTES ? part : FRAME_BYTES;
        send_frame(connection, DATA, 0, connection->upload_stream, upload->memory + upload->begin, part);
        connection->window -= (int64_t)part;
        connection->upload_window -= (int64_t)part;
        bytes_drop(upload, part);
    }
}

void http2_upload(struct http2 *connection, const uint8_t *message, size_t length)
{
    uint8_t prefix[5];
    put_prefix(prefix, length);
    bytes_add(&connection->upload, prefix, sizeof prefix);
    bytes_add(&connection->upload, message, length);
    push_upload(connection);
}

static void take_settings(struct http2 *connection)
{
    if (connection->flags & ACK)
        return;
    for (const uint8_t *at = connection->body; at + 6 <= connection->body + connection->body_length; at += 6) {
        if (at[0] == 0 && at[1] == INITIAL_WINDOW_SIZE) {
            uint32_t size = get32(at + 2);
            connection->upload_window += (int64_t)size - connection->initial_window;
            connection->initial_window = size;
        }
    }
    send_frame(connection, SETTINGS, ACK, 0, "", 0);
    push_upload(connection);
}

static void take_window_update(struct http2 *connection)
{
    uint32_t increment = get32(connection->body) & 0x7fffffff;
    if (connection->stream == 0)
        connection->window += increment;
    else if (connection->stream == connection->upload_stream)
        connection->upload_window += increment;
    push_upload(connection);
}

static void end_frame(struct http2 *connection)
{
    int ended = 0;
    switch (connection->type) {
    case SETTINGS:
        take_settings(connection);
        break;
    case PING:
        if (!(connection->flags & ACK))
            send_frame(connection, PING, ACK, 0, connection->body, 8);
        break;
    case WINDOW_UPDATE:
        take_window_update(connection);
        break;
    case GOAWAY:
        connection->lost = 1;
        break;
    case DATA:
    case HEADERS:
        ended = connection->flags & END_STREAM;
        break;
    case RST_STREAM:
        ended = 1;
        break;
    }
    if (ended)
        connection->events->ended(connection->owner, connection->stream);
}

static void begin_frame(struct http2 *connection)
{
    const uint8_t *head = connection->head;
    connection->left = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
    connection->type = head[3];
    connection->flags = head[4];
    connection->stream = get32(head + 5) & 0x7fffffff;
    connection->body_length = 0;
    if (connection->type != DATA)
        return;
    if (connection->flags & PADDED)
        die("padded DATA: no gRPC server sends that");
    /* Windows are opened when a frame begins: what was announced will come. */
    connection->unreported += connection->left;
    if (connection->unreported > CONNECTION_WINDOW / 4) {
        send_window_update(connection, 0, (uint32_t)connection->unreported);
        connection->unreported = 0;
    }
    uint32_t place = (connection->stream - 1) / 2;
    if (place < connection->watched_streams) {
        uint32_t *unreported = &connection->unreported_by_stream[place];
        *unreported += connection->left;
        if (*unreported > STREAM_WINDOW / 2) {
            send_window_update(connection, connection->stream, *unreported);
            *unreported = 0;
        }
    }
}

static size_t take_head(struct http2 *connection, const uint8_t *data, size_t length)
{
    size_t part = sizeof connection->head - connection->head_length;
    part = part < length ? part : length;
    memcpy(connection->head + connection->head_length, data, part);
    connection->head_length += part;
    if (connection->head_length == sizeof connection->head)
        begin_frame(connection);
    return part;
}

static size_t take_body(struct http2 *connection, const uint8_t *data, size_t length)
{
    size_t part = connection->left < length ? connection->left : length;
    if (connection->type == DATA) {
        if (part > 0)
            connection->events->data(connection->owner, connection->stream, data, part);
    } else {
        size_t room = sizeof connection->body - connection->body_length, kept = part < room ? part : room;
        memcpy(connection->body + connection->body_length, data, kept);
        connection->body_length += kept;
    }
    connection->left -= (uint32_t)part;
    return part;
}

static void received(void *owner, const uint8_t *data, size_t length)
{
    struct http2 *connection = owner;
    while (length > 0) {
        size_t taken = connection->head_length < sizeof connection->head ? take_head(connection, data, length)
                                                                         : take_body(connection, data, length);
        data += taken;
        length -= taken;
        if (connection->head_length == sizeof connection->head && connection->left == 0) {
            connection->head_length = 0;
            end_frame(connection);
        }
    }
}

static void closed(void *owner)
{
    struct http2 *connection = owner;
    connection->lost = 1;
    connection->events->closed(connection->owner);
}

void http2_open(struct http2 *connection, int epoll, int port, uint32_t watched_streams)
{
    static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    uint8_t settings[12] = {0, ENABLE_PUSH, 0, 0, 0, 0, 0, INITIAL_WINDOW_SIZE};
    put32(settings + 8, STREAM_WINDOW);
    connection->next_stream = 1;
    connection->window = connection->upload_window = connection->initial_window = DEFAULT_WINDOW;
    connection->watched_streams = watched_streams;
    connection->unreported_by_stream = allocated(watched_streams, sizeof(uint32_t));
    wire_open(&connection->wire, epoll, port);
    connection->wire.owner = connection;
    connection->wire.received = received;
    connection->wire.closed = closed;
    wire_send(&connection->wire, PREFACE, sizeof PREFACE - 1);
    send_frame(connection, SETTINGS, 0, 0, settings, sizeof settings);
    send_window_update(connection, 0, CONNECTION_WINDOW - DEFAULT_WINDOW);
}
