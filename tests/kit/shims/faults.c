/* System calls that fail, as the lines of a file say; the first that fits counts.
 *
 * FAULTS_FILE names it: "CALLS ERRNO NTH FOLDER", read anew at every call. CALLS is a list
 * like "open,fsync" or "*"; "openw" is an open for writing. FOLDER may be a file; then what is beside it counts as well: its
 * log, its journal. With a slash at its end it is a folder and nothing beside it. NTH 0: every such call on a path below FOLDER fails with ERRNO;
 * n > 0: the n-th does, once, counted over all processes and restarts in FAULTS_FILE.count
 * (8 bytes; made by whoever writes the line). No line, no fault. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int read_plan(char *plan, size_t size) {
    const char *file = getenv("FAULTS_FILE");
    if (!file) return 0;
    int descriptor = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    long count = syscall(SYS_read, descriptor, plan, size - 1);
    syscall(SYS_close, descriptor);
    if (count <= 0) return 0;
    plan[count] = 0;
    return 1;
}

/* The number of this call, from 1 on, over all processes. */
static uint64_t next_number(void) {
    char path[600];
    snprintf(path, sizeof path, "%s.count", getenv("FAULTS_FILE"));
    int descriptor = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return 0;
    uint64_t *shared = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    syscall(SYS_close, descriptor);
    if (shared == MAP_FAILED) return 0;
    uint64_t number = __atomic_add_fetch(shared, 1, __ATOMIC_SEQ_CST);
    munmap(shared, 8);
    return number;
}

static int names(const char *calls, const char *call) {
    if (!strcmp(calls, "*")) return strcmp(call, "openw") != 0;
    size_t length = strlen(call);
    for (const char *at = calls; (at = strstr(at, call)); at += length) {
        int starts = at == calls || at[-1] == ',';
        int ends = at[length] == 0 || at[length] == ',';
        if (starts && ends) return 1;
    }
    return 0;
}

static int fits(const char *line, const char *call, const char *path, int *error, unsigned long *nth) {
    char calls[256], folder[512];
    if (sscanf(line, "%255s %d %lu %511[^\n]", calls, error, nth, folder) != 4) return 0;
    size_t length = strlen(folder);
    if (strncmp(path, folder, length)) return 0;
    if (folder[length - 1] != '/' && !strchr("/-.", path[length])) return 0;
    return names(calls, call);
}

/* The errno to fail with, or 0. */
static int verdict(const char *call, const char *path) {
    char plan[2048];
    int error;
    unsigned long nth;
    if (!path || !read_plan(plan, sizeof plan)) return 0;
    for (const char *line = plan; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (fits(line, call, path, &error, &nth))
            return nth == 0 || next_number() == nth ? error : 0;
    }
    return 0;
}

static int fails_at(const char *call, int folder, const char *path) {
    char whole[4200], at[4096];
    int kept = errno;
    if (path && path[0] != '/') {
        char link[64];
        if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, at, sizeof at - 1);
        if (length < 0) length = 0;
        at[length] = 0;
        snprintf(whole, sizeof whole, "%s/%s", at, path);
        path = whole;
    }
    int error = verdict(call, path);
    errno = error ? error : kept;
    return error;
}

static int fails(const char *call, int descriptor) {
    char link[64], path[4096];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return fails_at(call, AT_FDCWD, path);
}

#define OPENS(name)                                                            \
    int name(const char *path, int flags, ...) {                               \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;\
        va_end(more);                                                          \
        if (fails_at("open", AT_FDCWD, path)) return -1;                       \
        if ((flags & O_ACCMODE) != O_RDONLY && fails_at("openw", AT_FDCWD, path)) return -1;\
        return REAL(name)(path, flags, mode);                                  \
    }
#define OPENS_AT(name)                                                         \
    int name(int folder, const char *path, int flags, ...) {                   \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;\
        va_end(more);                                                          \
        if (fails_at("open", folder, path)) return -1;                         \
        if ((flags & O_ACCMODE) != O_RDONLY && fails_at("openw", folder, path)) return -1;\
        return REAL(name)(folder, path, flags, mode);                          \
    }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

ssize_t read(int file, void *into, size_t size) {
    return fails("read", file) ? -1 : REAL(read)(file, into, size);
}
ssize_t pread(int file, void *into, size_t size, off_t at) {
    return fails("read", file) ? -1 : REAL(pread)(file, into, size, at);
}
ssize_t pread64(int file, void *into, size_t size, off64_t at) {
    return fails("read", file) ? -1 : REAL(pread64)(file, into, size, at);
}
ssize_t write(int file, const void *from, size_t size) {
    return fails("write", file) ? -1 : REAL(write)(file, from, size);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    return fails("write", file) ? -1 : REAL(writev)(file, parts, count);
}
ssize_t pwrite(int file, const void *from, size_t size, off_t at) {
    return fails("write", file) ? -1 : REAL(pwrite)(file, from, size, at);
}
ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) {
    return fails("write", file) ? -1 : REAL(pwrite64)(file, from, size, at);
}
int fsync(int file) { return fails("fsync", file) ? -1 : REAL(fsync)(file); }
int syncfs(int file) { return fails("fsync", file) ? -1 : REAL(syncfs)(file); }
int fdatasync(int file) { return fails("fsync", file) ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) {
    return fails("truncate", file) ? -1 : REAL(ftruncate)(file, size);
}
int ftruncate64(int file, off64_t size) {
    return fails("truncate", file) ? -1 : REAL(ftruncate64)(file, size);
}
int rename(const char *from, const char *to) {
    return fails_at("rename", AT_FDCWD, to) ? -1 : REAL(rename)(from, to);
}
int renameat(int in, const char *from, int into, const char *to) {
    return fails_at("rename", into, to) ? -1 : REAL(renameat)(in, from, into, to);
}
int unlink(const char *path) {
    return fails_at("unlink", AT_FDCWD, path) ? -1 : REAL(unlink)(path);
}
int unlinkat(int folder, const char *path, int flags) {
    return fails_at("unlink", folder, path) ? -1 : REAL(unlinkat)(folder, path, flags);
}
int link(const char *from, const char *to) {
    return fails_at("link", AT_FDCWD, to) ? -1 : REAL(link)(from, to);
}
int linkat(int in, const char *from, int into, const char *to, int flags) {
    return fails_at("link", into, to) ? -1 : REAL(linkat)(in, from, into, to, flags);
}
