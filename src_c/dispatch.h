/* dispatch.h -- the one kernel table in force. */
#ifndef PYCONVC_DISPATCH_H
#define PYCONVC_DISPATCH_H

#include "kernels/kernel_types.h"
#include "pyconvc.h"

/* The active table, chosen at the first call: PYCONVC_ISA by name, else the best for this
 * processor. NULL where PYCONVC_ISA names a tier that is unknown or not available here. */
const kernel_table *pyconvc_kernels(void);

#endif
