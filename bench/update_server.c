/* update_server PARENT PORT REPEATER_PORT PREFIX FIRST COUNT HERTZ

   A Channel Access server whose only purpose is to cost little: channels PREFIX<n> with FIRST <= n < FIRST + COUNT,
   all DBR_DOUBLE, each of which counts at HERTZ while it is subscribed to. The updates of a circuit are kept as they
   are sent; a slice of them gets new values and time stamps every 20 ms and goes out in one write.

   Loopback only. Searches by UDP on PORT, circuits by TCP on PORT, beacons to the repeater. Writes "ready" when it
   serves, and ends with the process PARENT. Message layouts: caProto.h and db_access.h of EPICS Base. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { VERSION = 0, EVENT_ADD = 1, EVENT_CANCEL = 2, SEARCH = 6, EVENTS_OFF = 8, EVENTS_ON = 9, CLEAR_CHANNEL = 12, IS_UP = 13 };
enum { READ_NOTIFY = 15, CREATE_CHAN = 18, ACCESS_RIGHTS = 22, ECHO = 23, CREATE_CH_FAIL = 26 };
enum { DBR_DOUBLE = 6, DBR_TIME_DOUBLE = 20, DBR_CTRL_DOUBLE = 34, CTRL_DOUBLE_SIZE = 88 };
enum { ECA_NORMAL = 1, ECA_BADTYPE = 114, MINOR_VERSION = 13, READ_AND_WRITE = 3 };
enum { EPICS_EPOCH = 631152000, SLICE_NS = 20000000, SECOND_NS = 1000000000, BEACON_MAX_US = 15000000 };

typedef struct {
    uint16_t command, size, type, count;
    uint32_t p1, p2;
} header; /* big endian */

typedef struct {
    header head;
    uint16_t status, severity;
    uint32_t seconds, nanoseconds, pad;
    uint64_t value;
} update; /* an EVENT_ADD answer with a DBR_TIME_DOUBLE, as it is sent */

_Static_assert(sizeof(header) == 16 && sizeof(update) == 40, "layout of messages");

typedef struct {
    int socket;
    pthread_mutex_t lock; /* of all below, and of sending */
    update *updates;      /* one a subscription */
    uint32_t *channels;   /* and the channel that it belongs to */
    double *values;
    size_t used, room, next;
    bool off, closed;
} circuit;

static struct {
    uint16_t port, repeater;
    const char *prefix;
    size_t prefix_length;
    unsigned long first, count;
    double hertz;
} given;

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static header message(unsigned command, unsigned size, unsigned type, unsigned count, uint32_t p1, uint32_t p2)
{
    return (header){htons((uint16_t)command), htons((uint16_t)size), htons((uint16_t)type), htons((uint16_t)count), htonl(p1), htonl(p2)};
}

static uint64_t big_endian(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return htobe64(bits);
}

static bool ours(const char *name, size_t room)
{
    char digits[24] = {0}, *end;
    size_t length = strnlen(name, room);
    if (length <= given.prefix_length || length - given.prefix_length >= sizeof digits || memcmp(name, given.prefix, given.prefix_length))
        return false;
    memcpy(digits, name + given.prefix_length, length - given.prefix_length);
    unsigned long number = strtoul(digits, &end, 10);
    return !*end && number >= given.first && number - given.first < given.count;
}

static bool send_all(int socket, const void *bytes, size_t length)
{
    for (const char *at = bytes; length;) {
        ssize_t sent = send(socket, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0) {
            at += sent;
            length -= (size_t)sent;
        }
    }
    return true;
}

/* -- updates ------------------------------------------------------------------------------------------------------ */

static void stamp(update *one, double value, const struct timespec *now)
{
    one->seconds = htonl((uint32_t)(now->tv_sec - EPICS_EPOCH));
    one->nanoseconds = htonl((uint32_t)now->tv_nsec);
    one->value = big_endian(value);
}

static update *subscribe(circuit *c, uint32_t channel, const header *asked)
{
    if (c->used == c->room) {
        c->room = c->room ? 2 * c->room : 1024;
        c->updates = realloc(c->updates, c->room * sizeof *c->updates);
        c->channels = realloc(c->channels, c->room * sizeof *c->channels);
        c->values = realloc(c->values, c->room * sizeof *c->values);
        if (!c->updates || !c->channels || !c->values)
            err(1, "memory for %zu subscriptions", c->room);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    update *one = &c->updates[c->used];
    *one = (update){.head = message(EVENT_ADD, sizeof *one - sizeof one->head, DBR_TIME_DOUBLE, 1, ECA_NORMAL, ntohl(asked->p2))};
    stamp(one, 0, &now);
    c->channels[c->used] = channel;
    c->values[c->used++] = 0;
    return one;
}

/* Forget the subscription with this id, or with id 0 all subscriptions of the channel. */
static void unsubscribe(circuit *c, uint32_t channel, uint32_t id)
{
    for (size_t at = 0; at < c->used;) {
        if (c->channels[at] != channel || (id && c->updates[at].head.p2 != id)) {
            at++;
            continue;
        }
        c->used--;
        c->updates[at] = c->updates[c->used];
        c->channels[at] = c->channels[c->used];
        c->values[at] = c->values[c->used];
    }
}

/* Count up the next `due` channels, from the lowest again after the highest, and send what they are now. */
static bool send_updates(circuit *c, size_t due)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    while (due && c->used) {
        if (c->next >= c->used)
            c->next = 0;
        size_t some = c->used - c->next < due ? c->used - c->next : due;
        for (size_t at = c->next; at < c->next + some; at++)
            stamp(&c->updates[at], c->values[at] += 1, &now);
        if (!send_all(c->socket, &c->updates[c->next], some * sizeof *c->updates))
            return false;
        c->next += some;
        due -= some;
    }
    return true;
}

static void *blast(void *argument)
{
    circuit *c = argument;
    struct timespec wake;
    double owed = 0;
    bool open = true;
    clock_gettime(CLOCK_MONOTONIC, &wake);
    while (open) {
        wake.tv_nsec += SLICE_NS;
        if (wake.tv_nsec >= SECOND_NS) {
            wake.tv_nsec -= SECOND_NS;
            wake.tv_sec++;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR)
            ;
        pthread_mutex_lock(&c->lock);
        if (!c->off) {
            owed += given.hertz * (double)c->used * SLICE_NS / SECOND_NS;
            size_t due = (size_t)owed;
            owed -= (double)due;
            open = send_updates(c, due);
        }
        open = open && !c->closed;
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* -- requests of a circuit ---------------------------------------------------------------------------------------- */

/* Each function below writes its answer at `out` and gives its length. Called with the lock. */

static size_t create_channel(uint8_t *out, const header *asked, const char *name, size_t room)
{
    static _Atomic uint32_t newest;
    uint32_t client = ntohl(asked->p1);
    header answer[2] = {message(CREATE_CH_FAIL, 0, 0, 0, client, 0)};
    size_t length = sizeof answer[0];
    if (ours(name, room)) {
        answer[0] = message(ACCESS_RIGHTS, 0, 0, 0, client, READ_AND_WRITE);
        answer[1] = message(CREATE_CHAN, 0, DBR_DOUBLE, 1, client, ++newest);
        length = sizeof answer;
    }
    memcpy(out, answer, length);
    return length;
}

static size_t first_update(uint8_t *out, circuit *c, const header *asked)
{
    if (ntohs(asked->type) != DBR_TIME_DOUBLE) {
        header answer = message(EVENT_ADD, 0, ntohs(asked->type), 1, ECA_BADTYPE, ntohl(asked->p2));
        memcpy(out, &answer, sizeof answer);
        return sizeof answer;
    }
    update *one = subscribe(c, ntohl(asked->p1), asked);
    memcpy(out, one, sizeof *one);
    return sizeof *one;
}

static size_t read_once(uint8_t *out, const header *asked)
{
    bool known = ntohs(asked->type) == DBR_CTRL_DOUBLE;
    unsigned size = known ? CTRL_DOUBLE_SIZE : 0;
    header answer = message(READ_NOTIFY, size, ntohs(asked->type), 1, known ? ECA_NORMAL : ECA_BADTYPE, ntohl(asked->p2));
    memcpy(out, &answer, sizeof answer);
    memset(out + sizeof answer, 0, size);
    if (known)
        memcpy(out + sizeof answer + 8, "mA", 2); /* units; all limits 0 */
    return sizeof answer + size;
}

static size_t echo(uint8_t *out, const header *asked, unsigned command)
{
    memcpy(out, asked, sizeof *asked);
    ((header *)(void *)out)->command = htons((uint16_t)command);
    return sizeof *asked;
}

static size_t answer(uint8_t *out, circuit *c, const header *asked, const char *payload)
{
    switch (ntohs(asked->command)) {
    case CREATE_CHAN:
        return create_channel(out, asked, payload, ntohs(asked->size));
    case EVENT_ADD:
        return first_update(out, c, asked);
    case READ_NOTIFY:
        return read_once(out, asked);
    case EVENT_CANCEL:
        unsubscribe(c, ntohl(asked->p1), asked->p2);
        return echo(out, asked, EVENT_ADD);
    case CLEAR_CHANNEL:
        unsubscribe(c, ntohl(asked->p1), 0);
        return echo(out, asked, CLEAR_CHANNEL);
    case ECHO:
        return echo(out, asked, ECHO);
    case EVENTS_OFF:
    case EVENTS_ON:
        c->off = ntohs(asked->command) == EVENTS_OFF;
        return 0;
    default: /* version, user and host name */
        return 0;
    }
}

enum { IN = 1 << 16, LONGEST_ANSWER = sizeof(header) + CTRL_DOUBLE_SIZE, OUT = IN / sizeof(header) * LONGEST_ANSWER };

/* Answer the whole requests among these bytes; how many bytes those were. */
static size_t answer_all(circuit *c, const uint8_t *in, size_t length, uint8_t *out)
{
    size_t at = 0, answered = 0;
    pthread_mutex_lock(&c->lock);
    while (length - at >= sizeof(header)) {
        header asked;
        memcpy(&asked, in + at, sizeof asked);
        if (length - at < sizeof asked + ntohs(asked.size))
            break;
        answered += answer(out + answered, c, &asked, (const char *)in + at + sizeof asked);
        at += sizeof asked + ntohs(asked.size);
    }
    c->closed = !send_all(c->socket, out, answered);
    pthread_mutex_unlock(&c->lock);
    return at;
}

static void *serve(void *argument)
{
    circuit *c = argument;
    uint8_t *in = malloc(IN), *out = malloc(OUT);
    size_t length = 0;
    ssize_t got;
    pthread_t blaster;
    header version = message(VERSION, 0, 0, MINOR_VERSION, 0, 0);
    if (!in || !out || pthread_create(&blaster, NULL, blast, c))
        err(1, "circuit");
    send_all(c->socket, &version, sizeof version);
    while (!c->closed && (got = recv(c->socket, in + length, IN - length, 0)) > 0) {
        length += (size_t)got;
        size_t used = answer_all(c, in, length, out);
        length -= used;
        memmove(in, in + used, length);
    }
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    pthread_mutex_unlock(&c->lock);
    pthread_join(blaster, NULL);
    close(c->socket);
    free(c->updates);
    free(c->channels);
    free(c->values);
    free(c);
    free(in);
    free(out);
    return NULL;
}

/* -- searches and beacons ----------------------------------------------------------------------------------------- */

/* Answers to the searches in a datagram; their length, 0 when none is for us. out: as long as the datagram twice.

   The client's version message, which has a sequence number, goes back first: by it libca tells how fast it may search. */
static size_t found(const uint8_t *in, size_t length, uint8_t *out)
{
    header version = message(VERSION, 0, 0, MINOR_VERSION, 0, 0);
    size_t answered = sizeof version;
    for (size_t at = 0; length - at >= sizeof(header);) {
        header asked;
        memcpy(&asked, in + at, sizeof asked);
        size_t size = ntohs(asked.size);
        at += sizeof asked;
        if (size > length - at)
            break;
        if (ntohs(asked.command) == VERSION) {
            version = asked;
            version.count = htons(MINOR_VERSION);
        } else if (ntohs(asked.command) == SEARCH && ours((const char *)in + at, size)) {
            header reply = message(SEARCH, 8, given.port, 0, UINT32_MAX, ntohl(asked.p1));
            memcpy(out + answered, &reply, sizeof reply);
            memset(out + answered + sizeof reply, 0, 8);
            out[answered + sizeof reply + 1] = MINOR_VERSION;
            answered += sizeof reply + 8;
        }
        at += size;
    }
    memcpy(out, &version, sizeof version);
    return answered > sizeof version ? answered : 0;
}

static void *answer_searches(void *argument)
{
    int socket = *(int *)argument;
    static uint8_t in[1 << 16], out[1 << 17];
    for (;;) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        ssize_t got = recvfrom(socket, in, sizeof in, 0, (struct sockaddr *)&peer, &length);
        if (got < 0)
            continue;
        size_t answered = found(in, (size_t)got, out);
        if (answered)
            sendto(socket, out, answered, 0, (struct sockaddr *)&peer, length);
    }
    return NULL;
}

static void *send_beacons(void *argument)
{
    int socket = *(int *)argument;
    struct sockaddr_in repeater = loopback(given.repeater);
    for (uint32_t id = 0;; id++) {
        header beacon = message(IS_UP, 0, MINOR_VERSION, given.port, id, INADDR_LOOPBACK);
        sendto(socket, &beacon, sizeof beacon, 0, (struct sockaddr *)&repeater, sizeof repeater);
        usleep(id < 9 ? 20000u << id : BEACON_MAX_US); /* from 20 ms on ever slower, as EPICS Base does */
    }
    return NULL;
}

static int bound(int type)
{
    int one = 1, room = 8 << 20, made = socket(AF_INET, type, 0);
    struct sockaddr_in address = loopback(given.port);
    if (made < 0)
        err(1, "socket");
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, sizeof room); /* as much of it as the system allows */
    if (bind(made, (struct sockaddr *)&address, sizeof address))
        err(1, "port %u", given.port);
    return made;
}

int main(int argc, char **argv)
{
    if (argc != 8)
        errx(2, "usage: update_server PARENT PORT REPEATER_PORT PREFIX FIRST COUNT HERTZ");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != atoi(argv[1]))
        return 1; /* it has ended before we could ask the kernel to be told */
    given.port = (uint16_t)atoi(argv[2]);
    given.repeater = (uint16_t)atoi(argv[3]);
    given.prefix = argv[4];
    given.prefix_length = strlen(argv[4]);
    given.first = strtoul(argv[5], NULL, 10);
    given.count = strtoul(argv[6], NULL, 10);
    given.hertz = atof(argv[7]);
    int udp = bound(SOCK_DGRAM), tcp = bound(SOCK_STREAM), one = 1;
    pthread_t thread;
    if (listen(tcp, 50) || pthread_create(&thread, NULL, answer_searches, &udp) || pthread_create(&thread, NULL, send_beacons, &udp))
        err(1, "start");
    puts("ready");
    fflush(stdout);
    for (;;) {
        int peer = accept(tcp, NULL, NULL);
        circuit *c = peer < 0 ? NULL : calloc(1, sizeof *c);
        if (!c)
            continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->socket = peer;
        pthread_mutex_init(&c->lock, NULL);
        if (pthread_create(&thread, NULL, serve, c))
            err(1, "circuit");
        pthread_detach(thread);
    }
}
