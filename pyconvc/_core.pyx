# cython: freethreading_compatible=True, boundscheck=False, wraparound=False, cdivision=True
"""The one crossing: arrays -> pointers and steps, the GIL released, a status -> an exception.

Callers (the public modules, through _check) hand over arrays of one dtype that the kernels know; what an
argument may be and how an error reads is decided there, not here.
"""

from libc.math cimport INFINITY
from libc.string cimport memcpy
from libc.stdint cimport int32_t, int64_t, uint64_t

cimport numpy as cnp

import os

import numpy as np

cnp.import_array()

cdef extern from "Python.h":
    int PyErr_CheckSignals()  # declared without `except`: the pending exception is raised later, with the GIL
    long long PyLong_AsLongLongAndOverflow(object, int *)

include "core/running.pxi"
include "core/arrays.pxi"
include "core/problem.pxi"
include "core/passes.pxi"
include "core/present.pxi"
include "core/plain.pxi"
include "core/tiers.pxi"
include "core/pools.pxi"
include "core/chains.pxi"
include "core/fourier.pxi"
