/* SPDX-License-Identifier: BSD-3-Clause
 * large.h -- memory for arrays that may be large. */
#ifndef PYCONVC_LARGE_H
#define PYCONVC_LARGE_H

#include <stdint.h>

/* Memory that begins at a cache line, or NULL; for free(). The system gives back and clears again
 * what is larger than some 32 MiB at every call, page by page, which would take as long as the
 * arithmetic: so it is asked for large pages. */
void *large_alloc(int64_t bytes);

#endif
