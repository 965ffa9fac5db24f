/* What libca does not check itself: whether a message of a server holds what its header says.

   libca converts a value in place in its receive buffer, by the number of elements that the header
   names, and looks up what an error message is about by a number in it; neither is compared with
   the length of the message. A server that lies makes libca write past its buffer or jump anywhere,
   before any callback of ours runs. So the functions of libca's table `cac::tcpJumpTableCAC` that
   take such messages are replaced by these, which check and then call them.

   A value that is too short is marked as one of an impossible type. libca then delivers it without
   touching its bytes, as ECA_BADTYPE to the callback of its subscription, which so learns of it.
   What nobody asked for or what cannot be read ends the circuit, as garbage does in libca.

   The functions are members of classes without multiple inheritance: on x86-64 and 64-bit ARM they
   are called as C functions whose first argument is the object, and a pointer to one of them is its
   address and a 0. `install` compares the table with the addresses of the functions by name, and
   changes nothing where they are not the same. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { EVENT_ADD = 1, READ = 3, ERROR = 11, READ_NOTIFY = 15, WRITE_NOTIFY = 19, COMMANDS = 28 };
enum { ECA_NORMAL = 1, ECA_DISCONN = 192, ECA_CHANDESTROY = 440, ECA_GETFAIL = 152 };
enum { TYPES = 35, TOO_SHORT = 0x8000, STRING_BYTES = 40, HEADER = 16, EXTENDED_HEADER = 24 };

typedef struct { /* struct caHdrLargeArray of virtualCircuit.h */
    uint32_t size, count, cid, available;
    uint16_t type, command;
} header;

typedef bool (*action)(void *cac, void *manager, void *circuit, const void *time, const header *, void *body);

typedef struct { /* a pointer to a member function; an odd address would mean one that is virtual */
    action function;
    intptr_t adjustment;
} member;

#define EVEN __attribute__((aligned(16)))

static struct {
    action event, read_notify, error;
} libca;
static const uint16_t *value_at, *element_size; /* dbr_value_offset, dbr_value_size of db_access.h, by DBR type */

static bool whole(const header *message, const void *body)
{
    uint64_t at = value_at[message->type], element = element_size[message->type];
    if (message->size >= at + element * message->count)
        return true;
    if (element != STRING_BYTES || message->count != 1 || message->size <= at)
        return false;
    return memchr((const char *)body + at, 0, message->size - at) != NULL; /* servers may leave out what follows the NUL */
}

static header checked(const header *message, const void *body)
{
    header as_told = *message;
    if (message->type >= TYPES || !whole(message, body))
        as_told.type |= TOO_SHORT;
    if (message->cid == ECA_DISCONN || message->cid == ECA_CHANDESTROY) /* libca's own words to itself: they destroy the subscription */
        as_told.cid = ECA_GETFAIL;
    return as_told;
}

static EVEN bool on_event(void *cac, void *manager, void *circuit, const void *time, const header *message, void *body)
{
    header as_told = checked(message, body);
    return libca.event(cac, manager, circuit, time, &as_told, body);
}

static EVEN bool on_read_notify(void *cac, void *manager, void *circuit, const void *time, const header *message, void *body)
{
    header as_told = checked(message, body);
    return libca.read_notify(cac, manager, circuit, time, &as_told, body);
}

static EVEN bool on_unasked(void *cac, void *manager, void *circuit, const void *time, const header *message, void *body)
{
    (void)cac, (void)manager, (void)circuit, (void)time, (void)message, (void)body;
    return false;
}

static uint16_t short_at(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t long_at(const uint8_t *bytes)
{
    return (uint32_t)short_at(bytes) << 16 | short_at(bytes + 2);
}

/* An error holds the header of the request that it is about, and a text. One about a read is handed on as the read's own failure:
   as an error, libca would forget the request by a number that may be that of a subscription. */
static EVEN bool on_error(void *cac, void *manager, void *circuit, const void *time, const header *message, void *body)
{
    uint8_t *request = body;
    if (message->size < HEADER)
        return false;
    size_t begin = short_at(request + 2) == 0xffff ? EXTENDED_HEADER : HEADER;
    uint16_t command = short_at(request);
    uint32_t status = message->available;
    if (status == ECA_DISCONN || status == ECA_CHANDESTROY || status == ECA_NORMAL)
        status = ECA_GETFAIL;
    if (command >= COMMANDS || message->size <= begin)
        return false;
    if (command == READ || command == WRITE_NOTIFY)
        return true; /* nobody asked */
    if (command == READ_NOTIFY) {
        header failure = {.cid = status, .available = long_at(request + 12), .type = short_at(request + 4) | TOO_SHORT, .command = READ_NOTIFY};
        return libca.read_notify(cac, manager, circuit, time, &failure, body);
    }
    header as_told = *message;
    as_told.available = status;
    request[message->size - 1] = 0; /* where the text ends */
    return libca.error(cac, manager, circuit, time, &as_told, body);
}

/* It stays so: some builds of libca have other variables on that page. */
static int make_writable(member *table)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)table / page * page;
    return mprotect((void *)begin, (uintptr_t)(table + COMMANDS) - begin, PROT_READ | PROT_WRITE);
}

static PyObject *install(PyObject *self, PyObject *args)
{
    unsigned long long table_at, event, read, error, read_notify, write_notify, offsets, sizes;
    (void)self;
    if (!PyArg_ParseTuple(args, "KKKKKKKK", &table_at, &event, &read, &error, &read_notify, &write_notify, &offsets, &sizes))
        return NULL;
    member *table = (member *)(uintptr_t)table_at;
    const struct {
        int command;
        uintptr_t theirs;
        action ours;
    } replaced[] = {
        {EVENT_ADD, (uintptr_t)event, on_event},
        {READ, (uintptr_t)read, on_unasked},
        {ERROR, (uintptr_t)error, on_error},
        {READ_NOTIFY, (uintptr_t)read_notify, on_read_notify},
        {WRITE_NOTIFY, (uintptr_t)write_notify, on_unasked},
    };
    const size_t n = sizeof replaced / sizeof *replaced;
    if (table[EVENT_ADD].function == on_event)
        Py_RETURN_TRUE; /* done before */
    for (size_t at = 0; at < n; at++)
        if ((uintptr_t)table[replaced[at].command].function != replaced[at].theirs || table[replaced[at].command].adjustment)
            Py_RETURN_FALSE;
    libca.event = (action)(uintptr_t)event;
    libca.read_notify = (action)(uintptr_t)read_notify;
    libca.error = (action)(uintptr_t)error;
    value_at = (const uint16_t *)(uintptr_t)offsets;
    element_size = (const uint16_t *)(uintptr_t)sizes;
    if (make_writable(table))
        Py_RETURN_FALSE;
    for (size_t at = 0; at < n; at++)
        table[replaced[at].command].function = replaced[at].ours;
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"install", install, METH_VARARGS,
     "install(table, event, read, error, read_notify, write_notify, value_offsets, value_sizes) -> whether it was done\n"
     "Addresses of libca's table of responses, of the functions that must be in it, and of its sizes by DBR type."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_libca_guard", "Checks of messages that libca lacks; see archioc.engine.ca.libca_guard.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__libca_guard(void)
{
    return PyModule_Create(&module);
}
