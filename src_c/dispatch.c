/* SPDX-License-Identifier: BSD-3-Clause
 * dispatch.c -- which tiers this build has, which of them this processor runs, which one is in
 * force.
 *
 * Detection asks the compiler's run-time support, which checks the operating system's part (XCR0)
 * too. */
#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

typedef const kernel_table *table_fn(void);

/* PYCONVC_TIERS is the build's list, slowest first: X(scalar) X(sse2) ... */
#define DECLARE(tier) table_fn pyconvc_table_##tier;
PYCONVC_TIERS(DECLARE)

typedef struct {
    const char *name;
    table_fn *table;
} tier;

#define ENTRY(tier) {#tier, pyconvc_table_##tier},
static const tier tiers[] = {PYCONVC_TIERS(ENTRY)};
enum { TIERS = sizeof tiers / sizeof *tiers };

#if defined(__x86_64__)
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

/* Zen 4 runs 64-byte vectors in two halves: its best tier is avx512vl, everybody else's avx512. */
static int splits_64_bytes(void) {
    return __builtin_cpu_is("amd") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_is("amdfam19h");
}
#endif

static int runs_here(const char *name) {
    if (!strcmp(name, "scalar")) return 1;
#if defined(__x86_64__)
    if (!strcmp(name, "sse2")) return 1;
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(name, "avx512vl") || !strcmp(name, "avx512")) return has_avx512();
#elif defined(__aarch64__)
    if (!strcmp(name, "neon")) return 1;
#endif
    return 0;
}

static const kernel_table *best(void) {
    const kernel_table *table = NULL;
    for (int i = 0; i < TIERS; i++) {
        if (!runs_here(tiers[i].name)) continue;
#if defined(__x86_64__)
        if (!strcmp(tiers[i].name, "avx512") && splits_64_bytes()) continue;
#endif
        table = tiers[i].table();
    }
    return table;
}

static const kernel_table *named(const char *name) {
    for (int i = 0; i < TIERS; i++)
        if (!strcmp(tiers[i].name, name) && runs_here(name)) return tiers[i].table();
    return NULL;
}

static const kernel_table *active;

pyconvc_status pyconvc_isa_select(const char *name) {
    const kernel_table *table = name ? named(name) : best();
    if (!table) return PYCONVC_NO_ISA;
    __atomic_store_n(&active, table, __ATOMIC_RELEASE);
    return PYCONVC_OK;
}

const kernel_table *pyconvc_kernels(void) {
    const kernel_table *table = __atomic_load_n(&active, __ATOMIC_ACQUIRE);
    if (table) return table;
    const char *name = getenv("PYCONVC_ISA");
    pyconvc_isa_select(name && *name ? name : NULL);
    return __atomic_load_n(&active, __ATOMIC_ACQUIRE);
}

const char *pyconvc_isa_name(void) {
    const kernel_table *table = pyconvc_kernels();
    return table ? table->name : NULL;
}

const char *pyconvc_isa_available(int index) {
    for (int i = 0; i < TIERS; i++)
        if (runs_here(tiers[i].name) && index-- == 0) return tiers[i].name;
    return NULL;
}
