/* The event callback in C: what libca delivers goes into the event ring without the interpreter lock.

   Layout of the ring: engine/ca/ring.py. libca runs its callbacks one after the other (it holds the
   context's callback lock), so there is one writer at a time; the reader is the engine's main
   thread. The write cursor is stored with release and the read cursors loaded with acquire order,
   so that a slot is whole before it can be seen, and is read before it can be written again.
   One ring a process: the callback gets nothing but the user argument.

   The user argument (engine/ca/user_argument.py) holds the type and the shape that were subscribed
   to. Every size below follows from these, never from the message; a message of another type or
   another number of elements becomes a MISFIT, and none of its bytes is read. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum { UPDATE, CONNECTED, DISCONNECTED, META, REFUSED, MISFIT }; /* archioc.engine.ca.ring.EventKind */
enum { IN_BULK = 1, OF_ARRAY = 2 };
enum { TYPES = 7, DBR_TIME = 14, DBR_CTRL = 28, STAMPED = 12, CONNECTION_UP = 6 };
enum { ECA_NORMAL = 1, ECA_TOLARGE = 72, ECA_BADTYPE = 114 };
enum { LARGE = 1024 }; /* archioc.engine.ca.ring */

/* engine/ca/user_argument.py */
enum { TYPE_AT = 25, TYPE_MASK = 63, ROW_MASK = (1 << TYPE_AT) - 1 };

/* sizes by native DBR type, as db_access.h lays them out; of DBR_CTRL_x what comes before the value */
static const uint32_t element_size[TYPES] = {40, 2, 4, 2, 1, 4, 8};
static const uint32_t value_at[TYPES] = {12, 14, 12, 14, 15, 12, 16};
static const uint32_t ctrl_size[TYPES] = {4, 28, 48, 422, 21, 44, 80};

typedef struct { /* struct event_handler_args of cadef.h */
    void *usr;
    void *chid;
    long type;
    long count;
    const void *dbr;
    int status;
} event_args;

typedef struct { /* struct connection_handler_args of cadef.h */
    void *chid;
    long op;
} connection_args;

typedef struct {
    int64_t received;
    uint32_t row, generation;
    uint16_t dbr;
    uint8_t kind, flags;
    uint32_t count;
    uint8_t body[24];
} slot;

typedef struct {
    _Atomic uint64_t write_slot, read_slot, write_bulk, read_bulk, lost;
} cursors;

static struct {
    slot *slots;
    uint64_t n_slots;
    cursors *at;
    uint8_t *bulk;
    uint64_t n_bulk, for_arrays, largest;
    uint32_t *lost;
    uint64_t n_rows;
} ring;

static struct {
    void *(*puser)(void *);
    short (*field_type)(void *);
    unsigned long (*element_count)(void *);
} libca;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void overflow(uint32_t row)
{
    if (row < ring.n_rows)
        ring.lost[row]++;
    atomic_fetch_add_explicit(&ring.at->lost, 1, memory_order_release);
}

/* An array that can never be taken: a slot tells of it, so that it is not just lost again and again. */
static void too_large(slot *head, uint64_t write)
{
    memcpy(head->body, &head->count, sizeof head->count);
    head->kind = REFUSED;
    head->count = ECA_TOLARGE;
    ring.slots[write % ring.n_slots] = *head;
    atomic_store_explicit(&ring.at->write_slot, write + 1, memory_order_release);
}

static void put(slot *head, const void *inline_bytes, size_t n_inline, const void *bulk, size_t n_bulk)
{
    uint64_t write = atomic_load_explicit(&ring.at->write_slot, memory_order_relaxed);
    if (write - atomic_load_explicit(&ring.at->read_slot, memory_order_acquire) >= ring.n_slots) {
        overflow(head->row);
        return;
    }
    memset(head->body, 0, sizeof head->body);
    if (bulk) {
        uint64_t limit = n_bulk > LARGE ? ring.for_arrays : ring.n_bulk;
        uint64_t begin = atomic_load_explicit(&ring.at->write_bulk, memory_order_relaxed);
        uint64_t in_use = atomic_load_explicit(&ring.at->read_bulk, memory_order_acquire);
        uint64_t room = (n_bulk + 7) & ~(uint64_t)7;
        if (n_bulk > ring.largest) {
            too_large(head, write);
            return;
        }
        if (begin + room - in_use > limit) {
            overflow(head->row);
            return;
        }
        uint32_t length = (uint32_t)n_bulk;
        size_t to_end = (size_t)(ring.n_bulk - begin % ring.n_bulk), first = n_bulk < to_end ? n_bulk : to_end;
        memcpy(ring.bulk + begin % ring.n_bulk, bulk, first);
        memcpy(ring.bulk, (const uint8_t *)bulk + first, n_bulk - first);
        memcpy(head->body + STAMPED, &length, sizeof length);
        memcpy(head->body + STAMPED + sizeof length, &begin, sizeof begin);
        head->flags |= IN_BULK;
        atomic_store_explicit(&ring.at->write_bulk, begin + room, memory_order_release);
    }
    if (n_inline)
        memcpy(head->body, inline_bytes, n_inline);
    ring.slots[write % ring.n_slots] = *head;
    atomic_store_explicit(&ring.at->write_slot, write + 1, memory_order_release);
}

static slot head_for(uint64_t user)
{
    return (slot){.received = now_ns(), .row = (uint32_t)(user & ROW_MASK), .generation = (uint32_t)(user >> 32)};
}

static uint32_t elements(long count)
{
    return count < 0 || (unsigned long)count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

/* Whether libca delivers what was subscribed to. The messages that engine/ca/_libca_guard.c marks as too short come as ECA_BADTYPE. */
static int fits(const event_args *args, int type, int is_array)
{
    if (args->status == ECA_BADTYPE && args->type != type)
        return 0;
    if (args->status != ECA_NORMAL || !args->dbr)
        return 1; /* an answer without a value */
    if (args->type != type)
        return 0;
    if (type >= DBR_CTRL)
        return args->count == 0 || args->count == 1; /* servers leave out the value of an empty array */
    return is_array || args->count == 1;
}

static void on_event(event_args args)
{
    uint64_t user = (uint64_t)(uintptr_t)args.usr;
    int is_array = (user >> 31) & 1, type = (int)(user >> TYPE_AT) & TYPE_MASK;
    int native = type >= DBR_CTRL ? type - DBR_CTRL : type - DBR_TIME;
    const uint8_t *dbr = args.dbr;
    slot head = head_for(user);
    head.dbr = (uint16_t)type;
    head.count = elements(args.count);
    if (native < 0 || native >= TYPES)
        return; /* nobody subscribes to such a type */
    if (!fits(&args, type, is_array)) {
        uint16_t sent = (uint16_t)args.type;
        head.kind = MISFIT;
        head.flags = is_array ? OF_ARRAY : 0;
        put(&head, &sent, sizeof sent, NULL, 0);
    } else if (args.status != ECA_NORMAL || !dbr) {
        head.kind = REFUSED;
        head.count = (uint32_t)args.status;
        put(&head, NULL, 0, NULL, 0);
    } else if (type >= DBR_CTRL) {
        head.kind = META;
        put(&head, NULL, 0, dbr, ctrl_size[native]);
    } else if (is_array) {
        head.kind = UPDATE;
        head.flags = OF_ARRAY;
        put(&head, dbr, STAMPED, dbr + value_at[native], (size_t)element_size[native] * head.count);
    } else {
        head.kind = UPDATE;
        if (native == 0)
            put(&head, dbr, STAMPED, dbr + value_at[native], element_size[native]);
        else
            put(&head, dbr, value_at[native] + element_size[native], NULL, 0);
    }
}

static void on_connection(connection_args args)
{
    uint64_t user = (uint64_t)(uintptr_t)libca.puser(args.chid);
    slot head = head_for(user);
    head.kind = DISCONNECTED;
    if (args.op == CONNECTION_UP) {
        head.kind = CONNECTED;
        head.dbr = (uint16_t)libca.field_type(args.chid);
        head.count = (uint32_t)libca.element_count(args.chid);
    }
    put(&head, NULL, 0, NULL, 0);
}

static PyObject *attach(PyObject *module, PyObject *args)
{
    unsigned long long slots, n_slots, at, bulk, n_bulk, for_arrays, largest, lost, n_rows;
    (void)module;
    if (!PyArg_ParseTuple(args, "KKKKKKKKK", &slots, &n_slots, &at, &bulk, &n_bulk, &for_arrays, &largest, &lost, &n_rows))
        return NULL;
    ring.slots = (slot *)(uintptr_t)slots;
    ring.n_slots = n_slots;
    ring.at = (cursors *)(uintptr_t)at;
    ring.bulk = (uint8_t *)(uintptr_t)bulk;
    ring.n_bulk = n_bulk;
    ring.for_arrays = for_arrays;
    ring.largest = largest;
    ring.lost = (uint32_t *)(uintptr_t)lost;
    ring.n_rows = n_rows;
    return PyLong_FromVoidPtr((void *)(uintptr_t)on_event);
}

static PyObject *ask(PyObject *module, PyObject *args)
{
    unsigned long long puser, field_type, element_count;
    (void)module;
    if (!PyArg_ParseTuple(args, "KKK", &puser, &field_type, &element_count))
        return NULL;
    libca.puser = (void *(*)(void *))(uintptr_t)puser;
    libca.field_type = (short (*)(void *))(uintptr_t)field_type;
    libca.element_count = (unsigned long (*)(void *))(uintptr_t)element_count;
    return PyLong_FromVoidPtr((void *)(uintptr_t)on_connection);
}

static PyMethodDef methods[] = {
    {"attach", attach, METH_VARARGS,
     "attach(slots, n_slots, head, bulk, n_bulk, for_arrays, largest, lost, n_rows) -> address of the event callback\n"
     "Addresses and sizes of a mapped ring, which must outlive every subscription."},
    {"ask", ask, METH_VARARGS,
     "ask(puser, field_type, element_count) -> address of the connection callback\n"
     "Addresses of the functions of libca by which it learns what has come or gone."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_event_callback", "The event callback in C; see archioc.engine.ca.compiled_callback.", -1,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__event_callback(void)
{
    _Static_assert(sizeof(slot) == 48, "archioc.engine.ca.ring.SLOT");
    return PyModule_Create(&module);
}
