/* A wrong clock: when preloaded, it adds LOOKBACK_CLOCK seconds to the time of
 * day. Monotonic clocks do not change.
 *
 * For `test-anywhere.sh`. Some tests fail under libfaketime (0.9.10, Debian's
 * `faketime`): PostgreSQL's timeouts never fire, because a signal that interrupts one
 * of the calls which that library wraps, such as epoll_wait, sees the real time; and
 * rustc, which the macro tests run, hangs at its start. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead;

__attribute__((constructor)) static void set_ahead(void) {
    const char *seconds = getenv("LOOKBACK_CLOCK");
    if (seconds)
        ahead = atol(seconds);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += ahead;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec time;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0)
        return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0)
        return -1;
    if (now)
        *now = time.tv_sec;
    return time.tv_sec;
}
