#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RECEIVE_BYTES (1 << 20)

static void watch(struct wire *wire, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = wire};
    if (epoll_ctl(wire->epoll, operation, wire->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

void wire_open(struct wire *wire, int epoll, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire->epoll = epoll;
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0 || connect(wire->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect to port %d: %s", port, strerror(errno));
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(wire->fd, F_SETFL, O_NONBLOCK);
    watch(wire, EPOLL_CTL_ADD, EPOLLIN);
}

/* Gives the kernel what it takes; returns how much that was. */
static size_t push(struct wire *wire, const uint8_t *data, size_t length)
{
    ssize_t sent = send(wire->fd, data, length, MSG_NOSIGNAL);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET) /* a lost peer is told by the next recv */
        die("send: %s", strerror(errno));
    return 0;
}

void wire_send(struct wire *wire, const void *data, size_t length)
{
    size_t sent = bytes_length(&wire->pending) == 0 ? push(wire, data, length) : 0;
    if (sent == length)
        return;
    if (bytes_length(&wire->pending) == 0)
        watch(wire, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    bytes_add(&wire->pending, (const uint8_t *)data + sent, length - sent);
}

static void receive(struct wire *wire)
{
    static uint8_t buffer[RECEIVE_BYTES];
    ssize_t length = recv(wire->fd, buffer, sizeof buffer, 0);
    if (length > 0) {
        wire->received_bytes += (uint64_t)length;
        wire->received(wire->owner, buffer, (size_t)length);
    } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        watch(wire, EPOLL_CTL_DEL, 0);
        wire->closed(wire->owner);
    }
}

void wire_event(struct wire *wire, uint32_t events)
{
    if (events & EPOLLOUT) {
        bytes_drop(&wire->pending, push(wire, wire->pending.memory + wire->pending.begin, bytes_length(&wire->pending)));
        if (bytes_length(&wire->pending) == 0)
            watch(wire, EPOLL_CTL_MOD, EPOLLIN);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(wire);
}
