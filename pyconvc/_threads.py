"""How many threads a call may use.

The default is the least of what binds this process: the CPUs that it may run on, the CPU quota of
its control groups, `OMP_NUM_THREADS` and `OMP_THREAD_LIMIT`. `PYCONVC_NUM_THREADS` takes the place
of all of these, `set_num_threads` that of everything, ``workers=`` counts for one call.

threadpoolctl lists and limits pyconvc's threads like those of an OpenMP library.
"""

import operator
import os
import sys

from ._cgroup import cpu_quota

__all__ = ["default_threads", "explain", "get_num_threads", "resolve", "set_num_threads"]

MOST_THREADS = 1024  # larger numbers are taken as this one: each thread costs a stack and a scratch

current = 0  # 0: not asked for yet; one global int, so that looking costs no lock


def get_num_threads():
    """Tell how many threads a call uses unless it has ``workers=``.

    Returns
    -------
    int
        The number given to `set_num_threads`, else that of `PYCONVC_NUM_THREADS`, else the least
        of the CPUs that this process may run on, its cgroup quota (rounded down, at least 1),
        `OMP_NUM_THREADS` and `OMP_THREAD_LIMIT`. The environment is read at the first use.

    Raises
    ------
    ValueError
        If `PYCONVC_NUM_THREADS` is not a positive integer.

    Examples
    --------
    >>> import pyconvc
    >>> pyconvc.get_num_threads() >= 1
    True
    """
    global current
    if not current:
        current = default_threads()
    return current


def set_num_threads(n):
    """Set how many threads calls use in this process unless they have ``workers=``.

    Parameters
    ----------
    n : int or None
        At least 1; more than the CPUs is allowed. None goes back to the default, read anew.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an integer, or less than 1.

    Examples
    --------
    >>> import pyconvc
    >>> pyconvc.set_num_threads(1)
    >>> pyconvc.get_num_threads()
    1
    >>> pyconvc.set_num_threads(None)
    """
    global current
    if n is None:
        cpu_quota.cache_clear()
        current = 0
    else:
        current = _positive("n", n, "a positive integer or None")


def resolve(workers=None):
    """Turn a ``workers=`` argument into a number of threads.

    Parameters
    ----------
    workers : int or None
        At least 1; -1 for all CPUs that this process may use, whatever `OMP_NUM_THREADS` says;
        None for `get_num_threads`.

    Raises
    ------
    TypeError, ValueError
        If `workers` is none of these.
    """
    if workers is None:
        return current or get_num_threads()
    if type(workers) is int and 1 <= workers <= MOST_THREADS:
        return workers
    allowed = "a positive integer, -1 for all CPUs, or None"
    if _integer("workers", workers, allowed) == -1:
        return _least([_cpus(), cpu_quota()])
    return _positive("workers", workers, allowed)


def default_threads():
    """The number of threads without `set_num_threads`; see `get_num_threads`."""
    limits = _limits()
    override = limits.pop("PYCONVC_NUM_THREADS")
    return override or _least(limits.values())


def explain():
    """Tell what the number of threads comes from.

    Returns
    -------
    dict
        Each limit by its name, None where there is none: "CPUs", "cgroup quota" (a float, in
        CPUs), and the environment variables; then "default" and "in use".
    """
    return _limits() | {"default": default_threads(), "in use": get_num_threads()}


def _limits():
    return {
        "CPUs": _cpus(),
        "cgroup quota": cpu_quota(),
        "OMP_NUM_THREADS": _omp_variable("OMP_NUM_THREADS"),
        "OMP_THREAD_LIMIT": _omp_variable("OMP_THREAD_LIMIT"),
        "PYCONVC_NUM_THREADS": _own_variable("PYCONVC_NUM_THREADS"),
    }


def _least(limits):
    return min(MOST_THREADS, max(1, int(min(limit for limit in limits if limit is not None))))


def _integer(name, value, allowed):
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be {allowed}, got {value!r}")


def _positive(name, value, allowed):
    number = _integer(name, value, allowed)
    if number < 1:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return min(number, MOST_THREADS)


def _own_variable(name):
    text = os.environ.get(name, "").strip()
    if text and not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError(f"{name} must be a positive integer, got {text!r}")
    return min(int(text), MOST_THREADS) if text else None


def _omp_variable(name):
    """First number of OpenMP's list; what OpenMP would refuse is for OpenMP to complain about."""
    text = os.environ.get(name, "").split(",")[0].strip()
    return (int(text) if text.isascii() and text.isdigit() else 0) or None


def _cpus():
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _register_with_threadpoolctl():
    """Make threadpoolctl, if it is installed, list and limit pyconvc.

    It has to be imported for this: a limit that is set before we are registered would not reach
    us, and threadpoolctl has no other entry for libraries that it does not know.
    """
    try:
        import threadpoolctl
    except ImportError:
        return

    class Controller(threadpoolctl.LibController):
        """pyconvc's own number of threads, as `get_num_threads` tells it."""

        user_api = "openmp"  # so that whoever limits OpenMP limits us
        internal_api = "pyconvc"
        filename_prefixes = ("_core.",)
        check_symbols = ("pyconvc_has_openmp",)  # other packages have a _core too

        def get_num_threads(self):
            return get_num_threads()

        def set_num_threads(self, num_threads):
            set_num_threads(num_threads)

        def get_version(self):
            return getattr(sys.modules.get("pyconvc"), "__version__", None)

    threadpoolctl.register(Controller)


_register_with_threadpoolctl()
