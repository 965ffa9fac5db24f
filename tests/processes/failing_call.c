/* One call of one kind fails, the FAIL_NTH that any process makes for a file below FAIL_BELOW, with the error FAIL_ERRNO. For LD_PRELOAD.

   FAIL_CALL: write, fsync, rename, open or unlink. FAIL_COUNT: a file of 8 bytes in which all processes count. FAIL_NTH 0: only count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long *counter(void) {
  static long *shared;
  if (!shared) {
    const char *name = getenv("FAIL_COUNT");
    int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR) : -1;
    if (fd < 0) return NULL;
    void *mapped = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (mapped != MAP_FAILED) shared = mapped;
  }
  return shared;
}

static int fails_path(const char *call, const char *path) {
  const char *wanted = getenv("FAIL_CALL"), *below = getenv("FAIL_BELOW"), *nth = getenv("FAIL_NTH"), *number = getenv("FAIL_ERRNO");
  if (!wanted || !below || !nth || !number || !path || strcmp(wanted, call) || strncmp(path, below, strlen(below))) return 0;
  long *shared = counter();
  if (!shared || __atomic_add_fetch(shared, 1, __ATOMIC_SEQ_CST) != atol(nth)) return 0;
  errno = atoi(number);
  return 1;
}

static int fails_fd(const char *call, int fd) {
  const char *wanted = getenv("FAIL_CALL");
  char link[64], path[PATH_MAX];
  if (!wanted || strcmp(wanted, call)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return fails_path(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *b, size_t n) { return fails_fd("write", fd) ? -1 : syscall(SYS_write, fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return fails_fd("write", fd) ? -1 : syscall(SYS_pwrite64, fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return fails_fd("write", fd) ? -1 : syscall(SYS_pwrite64, fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { return fails_fd("write", fd) ? -1 : syscall(SYS_writev, fd, v, n); }
int ftruncate(int fd, off_t n) { return fails_fd("write", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, n); }
int ftruncate64(int fd, off64_t n) { return fails_fd("write", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, n); }
int fsync(int fd) { return fails_fd("fsync", fd) ? -1 : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return fails_fd("fsync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd); }
int rename(const char *a, const char *b) { return fails_path("rename", b) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 0); }
int renameat(int da, const char *a, int db, const char *b) {
  return fails_path("rename", b) ? -1 : (int)syscall(SYS_renameat2, da, a, db, b, 0);
}
int unlink(const char *p) { return fails_path("unlink", p) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, p, 0); }
int unlinkat(int d, const char *p, int f) { return fails_path("unlink", p) ? -1 : (int)syscall(SYS_unlinkat, d, p, f); }

#define OPEN(name, extra)                                                        \
  int name(const char *p, int f, ...) {                                          \
    mode_t m = 0;                                                                \
    if (f & (O_CREAT | O_TMPFILE)) {                                             \
      va_list a;                                                                 \
      va_start(a, f);                                                            \
      m = va_arg(a, mode_t);                                                     \
      va_end(a);                                                                 \
    }                                                                            \
    return fails_path("open", p) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, p, f | (extra), m); \
  }
OPEN(open, 0)
OPEN(open64, O_LARGEFILE)

FILE *fopen(const char *p, const char *m) { return fails_path("open", p) ? NULL : REAL(fopen)(p, m); }
FILE *fopen64(const char *p, const char *m) { return fails_path("open", p) ? NULL : REAL(fopen64)(p, m); }
