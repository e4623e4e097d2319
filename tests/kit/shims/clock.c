/* The wall clock of one process tree, moved by what a file says.
 *
 * CLOCK_OFFSET_FILE names it: seconds, read anew at every look at the clock. The monotonic
 * clock is left alone. A wait for a moment of the wall clock (sem_timedwait,
 * pthread_cond_timedwait) behaves as the kernel's does when the clock is set meanwhile:
 * it ends when the moved clock says so, not when it was asked to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 50000000LL

static long offset_s(void) {
    static char path[512];
    if (!path[0]) {
        const char *named = getenv("CLOCK_OFFSET_FILE");
        if (!named) return 0;
        for (int i = 0; i < 511 && named[i]; i++) path[i] = named[i];
    }
    int kept = errno;
    char text[32] = {0};
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    long read_bytes = file < 0 ? 0 : syscall(SYS_read, file, text, 31);
    if (file >= 0) syscall(SYS_close, file);
    errno = kept;
    return read_bytes > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t which, struct timespec *out) {
    int status = syscall(SYS_clock_gettime, which, out);
    if (!status && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        out->tv_sec += offset_s();
    return status;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) {
        out->tv_sec = now.tv_sec;
        out->tv_usec = now.tv_nsec / 1000;
    }
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

/* How much of the wait is left by the moved clock, and a true moment at most one step away. */
static long long next_step(const struct timespec *until, struct timespec *step_end) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long left = (until->tv_sec - now.tv_sec) * 1000000000LL + (until->tv_nsec - now.tv_nsec);
    long long step = left > STEP_NS ? STEP_NS : left > 0 ? left : 0;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, step_end);
    step_end->tv_nsec += step;
    step_end->tv_sec += step_end->tv_nsec / 1000000000;
    step_end->tv_nsec %= 1000000000;
    return left - step;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    static int (*real)(sem_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
    for (;;) {
        struct timespec step_end;
        long long left = next_step(until, &step_end);
        int status = real(semaphore, &step_end);
        if (status == 0 || errno != ETIMEDOUT || left <= 0) return status;
    }
}

int pthread_cond_timedwait(pthread_cond_t *restrict changed, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    for (;;) {
        struct timespec step_end;
        long long left = next_step(until, &step_end);
        int status = real(changed, mutex, &step_end);
        if (status != ETIMEDOUT || left <= 0) return status;
    }
}
