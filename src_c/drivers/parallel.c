/* SPDX-License-Identifier: BSD-3-Clause
 * parallel.c -- OpenMP, where the compiler has it, behind parallel_for. */
#include "parallel.h"

#include <stdlib.h>
#include <time.h>
#ifdef _OPENMP
#    include <omp.h>
#    include <pthread.h>
#endif
#ifdef __linux__
#    include <sched.h>
#    include <sys/syscall.h>
#    include <unistd.h>
#endif

#include "arena.h"
#include "fpmode.h"
#include "problem.h"

#define SCRATCH_ALIGNMENT 64
#define POLL_SECONDS      0.03
#define SERIAL_WORK       2e7 /* about 0.1 ms of one core: what waking a second one costs */

/* The one name that is visible from outside: by it tools for thread limits know the library. */
__attribute__((visibility("default"))) int pyconvc_has_openmp(void) {
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

#ifdef _OPENMP
/* GNU's pool of threads does not survive a fork, and using it then hangs: a child computes alone.
 */
static int forked;
static void in_child(void) {
    forked = 1;
}
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, in_child);
}
#endif

#ifdef _OPENMP
/* A thread that waits until the gate is opened, and what the system calls it. */
typedef struct {
    pthread_t thread;
    pthread_mutex_t *gate;
    long id;
} trial;

static void *wait_at_gate(void *argument) {
    trial *t = argument;
    pthread_mutex_lock(t->gate);
    pthread_mutex_unlock(t->gate);
#    ifdef __linux__
    t->id = syscall(SYS_gettid);
#    endif
    return NULL;
}

/* Joined threads count against the system's limits until the kernel has buried them. */
static void wait_until_gone(const trial *t) {
#    ifdef __linux__
    while (syscall(SYS_tgkill, getpid(), t->id, 0) == 0)
        sched_yield();
#    else
    (void)t;
#    endif
}

/* How many of `threads`, the caller one of them, can be alive at once. */
static int startable(int threads) {
    trial *trials = malloc((size_t)threads * sizeof *trials);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    int started = 0;
    if (!trials) return 1;
    pthread_mutex_lock(&gate);
    for (; started < threads - 1; started++) {
        trials[started].gate = &gate;
        if (pthread_create(&trials[started].thread, NULL, wait_at_gate, &trials[started])) break;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < started; i++) {
        pthread_join(trials[i].thread, NULL);
        wait_until_gone(&trials[i]);
    }
    free(trials);
    return started + 1;
}

/* OpenMP ends the process if it cannot start a thread. So a team larger than this thread had last,
 * which OpenMP keeps for it, is tried out first, and the threads that are missing are done without.
 */
static int team(int threads) {
    static _Thread_local int last = 1;
    if (threads > last) threads = startable(threads);
    if (threads > 1) last = threads;
    return threads;
}
#endif

int parallel_workers(const pyconvc_run *run, double work) {
#ifdef _OPENMP
    if (forked || work < SERIAL_WORK || omp_in_parallel()) return 1;
    return run->workers;
#else
    (void)run, (void)work;
    return 1;
#endif
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct {
    int64_t count, next;
    task_fn *task;
    const void *context;
    const pyconvc_run *run;
    size_t scratch_bytes;
    int stop;
} queue;

/* Takes tasks until none is left; the calling thread also asks now and then whether to stop. */
static void work_off(queue *q, void *scratch, int caller) {
    const fpmode saved = q->run->flush_denormals ? fpmode_flush() : fpmode_get();
    const int asks = caller && q->run->interrupted && q->count > 1;
    double asked = asks ? now() : 0;
    while (!__atomic_load_n(&q->stop, __ATOMIC_RELAXED)) {
        const int64_t task = __atomic_fetch_add(&q->next, 1, __ATOMIC_RELAXED);
        if (task >= q->count) break;
        arena_spoil(scratch, q->scratch_bytes);
        q->task(q->context, task, scratch);
        if (asks && now() - asked > POLL_SECONDS) {
            if (q->run->interrupted(q->run->data)) __atomic_store_n(&q->stop, 1, __ATOMIC_RELAXED);
            asked = now();
        }
    }
    fpmode_set(saved);
}

pyconvc_status parallel_for(int64_t count, int workers, size_t scratch_bytes, task_fn *task,
                            const void *context, const pyconvc_run *run) {
    queue q = {count, 0, task, context, run, scratch_bytes, 0};
    const int wanted = (int)max64(1, min64(workers, count));
    const size_t each = (size_t)round_up((int64_t)scratch_bytes + 1, SCRATCH_ALIGNMENT);
    char *scratch = NULL;
    if (posix_memalign((void **)&scratch, SCRATCH_ALIGNMENT, each * (size_t)wanted))
        return PYCONVC_NO_MEMORY;
#ifdef _OPENMP
    const int threads = team(wanted);
    if (threads > 1) {
#    pragma omp parallel num_threads(threads)
        work_off(&q, scratch + each * (size_t)omp_get_thread_num(), omp_get_thread_num() == 0);
    } else
#endif
        work_off(&q, scratch, 1);
    free(scratch);
    return q.stop ? PYCONVC_INTERRUPTED : PYCONVC_OK;
}
