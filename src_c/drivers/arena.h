/* arena.h -- a worker's scratch laid out into tables, each from a cache line on.
 *
 * Laid out without memory first, to learn how many bytes that takes. A build for the address
 * sanitizer (make sanitize) puts what lies between two tables out of bounds, and leaves a task
 * nothing of use from the one before: NaNs, and pointers that lead nowhere. */
#ifndef PYCONVC_ARENA_H
#define PYCONVC_ARENA_H

#include <stddef.h>

#include "problem.h"

#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/asan_interface.h>
#    include <string.h>
#    define ARENA_GAP 64
static inline void arena_close(char *from, int64_t bytes) {
    ASAN_POISON_MEMORY_REGION(from, (size_t)bytes);
}
static inline void arena_spoil(void *memory, size_t bytes) {
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    memset(memory, 0xff, bytes);
}
#else
#    define ARENA_GAP 0
static inline void arena_close(char *from, int64_t bytes) {
    (void)from, (void)bytes;
}
static inline void arena_spoil(void *memory, size_t bytes) {
    (void)memory, (void)bytes;
}
#endif

typedef struct {
    char *memory; /* or NULL */
    int64_t bytes;
} arena;

/* The next table. */
static inline void *carve(arena *a, int64_t bytes) {
    const int64_t whole = round_up(bytes, 64) + ARENA_GAP;
    char *const table = a->memory ? a->memory + a->bytes : NULL;
    if (table) arena_close(table + bytes, whole - bytes);
    a->bytes += whole;
    return table;
}

#endif
