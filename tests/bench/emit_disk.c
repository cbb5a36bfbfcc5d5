/* A slow disk, for one program: preloaded, it delays what the forwarder writes below a directory.
 *
 * SLOW_DISK_DIR: the directory; SLOW_DISK_WRITE_US, SLOW_DISK_SYNC_US: microseconds per call.
 * No kernel module and no tracer is needed, so it runs in containers, too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static const char *directory;
static long write_us, sync_us;

__attribute__((constructor)) static void begin(void) {
    char line[4096] = {0};
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t length = file ? fread(line, 1, sizeof line - 1, file) : 0;
    if (file) fclose(file);
    /* The observed service writes sockets, which a look at each file name would slow down. */
    if (!memmem(line, length, "activity_emit.forwarder", 23)) return;
    const char *write_text = getenv("SLOW_DISK_WRITE_US"), *sync_text = getenv("SLOW_DISK_SYNC_US");
    write_us = write_text ? atol(write_text) : 0;
    sync_us = sync_text ? atol(sync_text) : 0;
    directory = getenv("SLOW_DISK_DIR");
}

static void wait_for(int fd, long micros) {
    char link[64], path[4096];
    if (!directory || micros <= 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || strncmp(path, directory, strlen(directory))) return;
    struct timespec pause = {micros / 1000000, micros % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) next = NEXT(ssize_t (*)(int, const void *, size_t), "write");
    wait_for(fd, write_us);
    return next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (!next) next = NEXT(ssize_t (*)(int, const void *, size_t, off_t), "pwrite");
    wait_for(fd, write_us);
    return next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next) next = NEXT(ssize_t (*)(int, const void *, size_t, off64_t), "pwrite64");
    wait_for(fd, write_us);
    return next(fd, data, size, at);
}

int fsync(int fd) {
    static int (*next)(int);
    if (!next) next = NEXT(int (*)(int), "fsync");
    wait_for(fd, sync_us);
    return next(fd);
}

int fdatasync(int fd) {
    static int (*next)(int);
    if (!next) next = NEXT(int (*)(int), "fdatasync");
    wait_for(fd, sync_us);
    return next(fd);
}
