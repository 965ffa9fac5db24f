/* Lines of scalar numbers in the raw format, one after the other; see retrieval/appliance/compiled_lines.py.

   The bytes are those of retrieval/appliance/numpy_lines.py and wire.py, in a quarter of the time. The
   interpreter lock is let go meanwhile, so that an answer is sent while its next piece is written. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { SECOND = 0x08, NANO = 0x10, SEVERITY = 0x20, STATUS = 0x28, ESCAPE = 0x1b };
enum { MAX_TAG = 2, ZIGZAG = 0 };
/* A line at its longest: two tags of time with varints of ten and five bytes, a value, two codes, what keeps
   white space from being last. All of it escaped, and the newline. */
enum { LONGEST = 2 * (1 + 10 + 1 + 5 + MAX_TAG + 10 + 3 + 3 + 2) + 1 };

static const int64_t NS = 1000000000;
static const uint8_t after_escape[256] = {[0x1b] = 1, ['\n'] = 2, ['\r'] = 3};
static const uint8_t is_white[256] = {['\t'] = 1, ['\v'] = 1, ['\f'] = 1, [' '] = 1};
static const uint8_t unchanged[2] = {0x40, 0x00}; /* the field fieldactualchange, false */

typedef struct {
    const int64_t *time;
    int64_t begin; /* of the year, s since 1970 */
    const uint8_t *values;
    Py_ssize_t width; /* bytes of a value, or ZIGZAG: whole numbers of eight bytes, written as varints */
    const uint8_t *tag;
    Py_ssize_t tag_length;
    const uint8_t *severity, *status;
    Py_ssize_t number;
} columns;

static inline uint8_t *byte(uint8_t *to, uint8_t one)
{
    if (__builtin_expect(after_escape[one], 0)) {
        *to++ = ESCAPE;
        one = after_escape[one];
    }
    *to++ = one;
    return to;
}

static inline uint8_t *bytes(uint8_t *to, const uint8_t *from, Py_ssize_t n)
{
    for (Py_ssize_t at = 0; at < n; at++)
        to = byte(to, from[at]);
    return to;
}

/* All but its last byte are above 7F, and so are never escaped. */
static inline uint8_t *varint(uint8_t *to, uint64_t number, uint8_t *last)
{
    while (number > 0x7f) {
        *to++ = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    *last = (uint8_t)number;
    return byte(to, *last);
}

static inline uint8_t *code(uint8_t *to, uint8_t tag, uint8_t number, uint8_t *last)
{
    if (!number)
        return to;
    *to++ = tag;
    return varint(to, number, last);
}

static uint8_t *line(uint8_t *to, const columns *of, Py_ssize_t at)
{
    uint8_t last;
    int64_t second = of->time[at] / NS, nano = of->time[at] % NS;
    *to++ = SECOND;
    to = varint(to, (uint64_t)(second - of->begin), &last);
    *to++ = NANO;
    to = varint(to, (uint64_t)nano, &last);
    to = bytes(to, of->tag, of->tag_length);
    if (of->width == ZIGZAG) {
        int64_t whole = ((const int64_t *)of->values)[at];
        to = varint(to, (uint64_t)whole << 1 ^ (uint64_t)(whole >> 63), &last);
    } else {
        const uint8_t *value = of->values + at * of->width;
        to = bytes(to, value, of->width);
        last = value[of->width - 1];
    }
    to = code(to, SEVERITY, of->severity[at], &last);
    to = code(to, STATUS, of->status[at], &last);
    if (is_white[last])
        to = bytes(to, unchanged, sizeof unchanged);
    *to++ = '\n';
    return to;
}

static PyObject *lines(PyObject *module, PyObject *args)
{
    long long begin;
    Py_ssize_t width;
    Py_buffer time, values, tag, severity, status;
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*Ly*ny*y*y*", &time, &begin, &values, &width, &tag, &severity, &status))
        return NULL;
    columns of = {time.buf, begin, values.buf, width, tag.buf, tag.len, severity.buf, status.buf, time.len / 8};
    if (width < 0 || width > 8 || tag.len > MAX_TAG || time.len % 8 || values.len != of.number * (width ? width : 8) ||
        severity.len != of.number || status.len != of.number)
        PyErr_SetString(PyExc_ValueError, "columns of one length, values of at most 8 bytes, a tag of at most 2");
    else if ((found = PyBytes_FromStringAndSize(NULL, of.number * LONGEST))) {
        uint8_t *start = (uint8_t *)PyBytes_AS_STRING(found), *to = start;
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < of.number; at++)
            to = line(to, &of, at);
        Py_END_ALLOW_THREADS
        _PyBytes_Resize(&found, to - start);
    }
    PyBuffer_Release(&time);
    PyBuffer_Release(&values);
    PyBuffer_Release(&tag);
    PyBuffer_Release(&severity);
    PyBuffer_Release(&status);
    return found;
}

static PyMethodDef methods[] = {
    {"lines", lines, METH_VARARGS,
     "lines(time, begin, values, width, tag, severity, status) -> lines of the raw format\n"
     "time: int64, ns since 1970, not before begin (s since 1970), which is that of the year; width: bytes of a value, 0 for whole numbers\n"
     "of int64 to be written as varints; tag: what stands before each value. Raises ValueError."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_compiled_lines", "Lines of numbers in C; see archioc.retrieval.appliance.compiled_lines.", 0,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled_lines(void)
{
    return PyModule_Create(&module);
}
