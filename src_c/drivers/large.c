/* SPDX-License-Identifier: BSD-3-Clause
 * large.c -- see large.h. */
#define _DEFAULT_SOURCE /* for madvise */
#include <stdlib.h>
#include <sys/mman.h>

#include "large.h"

#define CACHE_LINE 64
#define LARGE_PAGE (2 << 20)
#define LEAST      (2 * LARGE_PAGE) /* bytes from which large pages are asked for */

void *large_alloc(int64_t bytes) {
    const size_t alignment = bytes < LEAST ? CACHE_LINE : LARGE_PAGE;
    void *memory;
    if (posix_memalign(&memory, alignment, (size_t)bytes)) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= LEAST) (void)madvise(memory, (size_t)bytes, MADV_HUGEPAGE); /* or as usual */
#endif
    return memory;
}
