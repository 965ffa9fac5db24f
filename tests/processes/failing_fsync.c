/* fsync and fdatasync fail with EIO while the file $FAIL is there, for files below a directory named `state`. For LD_PRELOAD. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(int fd) {
  const char *while_there = getenv("FAIL");
  char link[64], path[4096];
  ssize_t n;
  if (!while_there || access(while_there, F_OK)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if ((n = readlink(link, path, sizeof path - 1)) <= 0) return 0;
  path[n] = 0;
  return strstr(path, "/state/") != 0 || (n > 6 && !strcmp(path + n - 6, "/state"));
}

int fsync(int fd) {
  if (fails(fd)) { errno = EIO; return -1; }
  return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  if (fails(fd)) { errno = EIO; return -1; }
  return syscall(SYS_fdatasync, fd);
}
