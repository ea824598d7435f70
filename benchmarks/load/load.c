/* Subscribes many times, publishes once, and tells what arrived: how much, how late, with how many holes.
 *
 * Speaks with the one who started it by lines. It says `connected` when every subscription is live, starts to
 * publish after the line `go`, says `published` with the figures as JSON when everything arrived or nothing more
 * comes, and closes its connections when its standard input ends. So the other side reads the processor time of
 * the server exactly around the part that counts. `docs/benchmarks.md` explains the figures.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "publisher.h"
#include "subscriber.h"

#define PATIENCE_NS (20 * SECOND_NS) /* to connect */
#define REST_NS (60 * SECOND_NS)     /* for what is on its way when publishing ends */
#define MOST_MESSAGES_A_TURN 256
#define CONNECTIONS_A_TURN 64

struct options {
    int port, durability;
    unsigned connections, streams, batch;
    enum protocol protocol;
    enum publishing publishing;
    double rate, seconds, poll_s;
    uint64_t window;
};

struct load {
    struct options options;
    int epoll;
    struct tally tally;
    struct subscriber *subscribers;
    struct publisher publisher;
    uint64_t begin_ns, end_ns; /* of publishing */
    int told;                  /* the line `go` came */
    int over;                  /* standard input ended */
};

static void usage(void)
{
    fputs("usage: load --port N [--protocol grpc|nats|redis] [--connections N] [--streams PER_CONNECTION]\n"
          "            [--poll SECONDS] [--publish stream|unary|nats|redis] [--batch EVENTS] [--durability 0-3]\n"
          "            [--rate EVENTS_PER_SECOND] [--window EVENTS] [--seconds N]\n",
          stderr);
    exit(2);
}

static int one_of(const char *word, const char *const *words)
{
    for (int place = 0; words[place] != NULL; place++)
        if (strcmp(word, words[place]) == 0)
            return place;
    usage();
    return -1;
}

static struct options parsed(int count, char **words)
{
    static const struct option known[] = {
        {"port", 1, 0, 'p'},    {"protocol", 1, 0, 'k'}, {"connections", 1, 0, 'c'}, {"streams", 1, 0, 's'},
        {"poll", 1, 0, 'l'},    {"publish", 1, 0, 'u'},  {"batch", 1, 0, 'b'},       {"durability", 1, 0, 'd'},
        {"rate", 1, 0, 'r'},    {"window", 1, 0, 'w'},   {"seconds", 1, 0, 't'},     {0, 0, 0, 0},
    };
    static const char *const protocols[] = {"grpc", "nats", "redis", NULL};
    static const char *const ways[] = {"nobody", "stream", "unary", "nats", "redis", NULL};
    struct options options = {.streams = 1, .batch = 1, .seconds = 5, .window = 100};
    int option;
    while ((option = getopt_long(count, words, "", known, NULL)) != -1) {
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'k': options.protocol = (enum protocol)one_of(optarg, protocols); break;
        case 'c': options.connections = (unsigned)atoi(optarg); break;
        case 's': options.streams = (unsigned)atoi(optarg); break;
        case 'l': options.poll_s = atof(optarg); break;
        case 'u': options.publishing = (enum publishing)one_of(optarg, ways); break;
        case 'b': options.batch = (unsigned)atoi(optarg); break;
        case 'd': options.durability = atoi(optarg); break;
        case 'r': options.rate = atof(optarg); break;
        case 'w': options.window = (uint64_t)atoll(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        default: usage();
        }
    }
    if (options.port == 0 || options.batch == 0 || options.batch > MOST_EVENTS || options.streams == 0)
        usage();
    return options;
}

/* Handles what comes within `timeout_ms`; standard input is the event without a wire. */
static void turn(struct load *load, int timeout_ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(load->epoll, events, 256, timeout_ms);
    if (count < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int place = 0; place < count; place++) {
        char words[64];
        if (events[place].data.ptr != NULL)
            wire_event(events[place].data.ptr, events[place].events);
        else if (read(STDIN_FILENO, words, sizeof words) > 0)
            load->told = 1;
        else
            load->over = 1;
    }
}

static unsigned sum_live(const struct load *load)
{
    unsigned live = 0;
    for (unsigned place = 0; place < load->options.connections; place++)
        live += load->subscribers[place].live;
    return live;
}

static unsigned sum_ended(const struct load *load)
{
    unsigned ended = 0;
    for (unsigned place = 0; place < load->options.connections; place++)
        ended += load->subscribers[place].ended;
    return ended;
}

static void tick_all(struct load *load)
{
    uint64_t now = now_ns();
    for (unsigned place = 0; load->options.poll_s > 0 && place < load->options.connections; place++)
        subscriber_tick(&load->subscribers[place], now);
}

static void open_all(struct load *load)
{
    const struct options *options = &load->options;
    uint64_t begin = now_ns(), period_ns = (uint64_t)(options->poll_s * 1e9);
    load->subscribers = allocated(options->connections, sizeof(struct subscriber));
    if (options->publishing != NOBODY)
        publisher_open(&load->publisher, options->publishing, load->epoll, options->port, options->batch, begin);
    for (unsigned place = 0; place < options->connections; place++) {
        struct subscriber *subscriber = &load->subscribers[place];
        uint64_t due_ns = begin + period_ns * place / options->connections;
        if (period_ns > 0)
            subscriber_poll(subscriber, load->epoll, options->port, period_ns, due_ns, begin, &load->tally);
        else
            subscriber_open(subscriber, options->protocol, load->epoll, options->port, options->streams, &load->tally);
        if (place % CONNECTIONS_A_TURN == 0)
            turn(load, 0);
    }
    unsigned wanted = options->connections * options->streams;
    while (sum_live(load) < wanted || (options->publishing != NOBODY && !load->publisher.live)) {
        if (sum_ended(load) > 0 || now_ns() > begin + PATIENCE_NS + period_ns)
            die("%u of %u streams are live, %u ended", sum_live(load), wanted, sum_ended(load));
        tick_all(load);
        turn(load, 1);
    }
    printf("connected {\"streams\": %u, \"seconds\": %.6f}\n", wanted, (double)(now_ns() - begin) / 1e9);
    fflush(stdout);
}

static uint64_t streams(const struct load *load)
{
    return (uint64_t)load->options.connections * load->options.streams;
}

/* Whether one more message may be sent: by the clock, or where nobody is further behind than the window. */
static int may_send(const struct load *load, uint64_t now)
{
    const struct options *options = &load->options;
    const struct publisher *publisher = &load->publisher;
    uint64_t sent = publisher->sent + options->batch;
    if (!publisher_ready(publisher))
        return 0;
    if (options->rate > 0)
        return (double)sent <= (double)(now - load->begin_ns) / 1e9 * options->rate + 1;
    if (streams(load) > 0)
        return sent * streams(load) <= load->tally.received + options->window * streams(load);
    return publisher->kind == NATS_PUB || sent <= publisher_answered(publisher) + options->window;
}

static int everything_arrived(const struct load *load)
{
    const struct publisher *publisher = &load->publisher;
    return load->tally.received >= publisher->sent * streams(load) && publisher_answered(publisher) >= publisher->sent;
}

static void publish(struct load *load)
{
    const struct options *options = &load->options;
    uint64_t now = load->begin_ns = now_ns(), end = now + (uint64_t)(options->seconds * 1e9);
    for (; now < end && !load->over; now = now_ns()) {
        unsigned sent = 0;
        while (options->publishing != NOBODY && sent++ < MOST_MESSAGES_A_TURN && may_send(load, now))
            publisher_send(&load->publisher);
        tick_all(load);
        turn(load, options->rate > 0 || sent <= 1 ? 1 : 0);
    }
    publisher_finish(&load->publisher);
    /* Who polls may see the last events one period later, on time. */
    end = now_ns() + REST_NS + (uint64_t)(options->poll_s * 1e9);
    while (now_ns() < end && !load->over && !everything_arrived(load)) {
        tick_all(load);
        turn(load, 1);
    }
    load->end_ns = now_ns();
}

static void put(const char *name, double value, const char *after)
{
    printf("\"%s\": %.9g%s", name, value, after);
}

static void report(const struct load *load)
{
    const struct tally *tally = &load->tally;
    const struct histogram *latencies = &tally->latencies;
    uint64_t fewest = ~0ull, polls = 0, bytes = 0;
    for (unsigned place = 0; place < load->options.connections; place++) {
        const struct subscriber *subscriber = &load->subscribers[place];
        for (unsigned stream = 0; stream < subscriber->streams; stream++)
            if (subscriber->scanners[stream].received < fewest)
                fewest = subscriber->scanners[stream].received;
        polls += subscriber->polls;
        bytes += subscriber_received_bytes(subscriber);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("published {");
    put("sent", (double)load->publisher.sent, ", ");
    put("taken", (double)load->publisher.results.taken, ", ");
    put("refused", (double)load->publisher.results.refused, ", ");
    put("received", (double)tally->received, ", ");
    put("fewest", streams(load) ? (double)fewest : 0, ", ");
    put("holes", (double)tally->holes, ", ");
    put("repetitions", (double)tally->repetitions, ", ");
    put("ended", (double)sum_ended(load), ", ");
    put("polls", (double)polls, ", ");
    put("bytes", (double)bytes, ", ");
    put("seconds", (double)(load->end_ns - load->begin_ns) / 1e9, ", ");
    put("p50_ms", (double)histogram_quantile(latencies, 0.5) / 1e6, ", ");
    put("p99_ms", (double)histogram_quantile(latencies, 0.99) / 1e6, ", ");
    put("p999_ms", (double)histogram_quantile(latencies, 0.999) / 1e6, ", ");
    put("longest_ms", (double)latencies->largest / 1e6, ", ");
    put("own_cpu_s",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
        "}\n");
    fflush(stdout);
}

int main(int count, char **words)
{
    static struct load load;
    struct epoll_event input = {.events = EPOLLIN};
    struct rlimit files;
    load.options = parsed(count, words);
    event_durability(load.options.durability);
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    open_all(&load);
    while (!load.told && !load.over) {
        tick_all(&load);
        turn(&load, load.options.poll_s > 0 ? 1 : -1);
    }
    publish(&load);
    report(&load);
    while (!load.over)
        turn(&load, -1);
    return 0;
}
