"""Whether blocks of tiles may be shared between threads."""

try:
    from scipy._lib.uarray import get_state
    from scipy.fft._backend import _ScipyBackend
except ImportError:  # private names: the answer is no then
    get_state = None

__all__ = ["threads_may_call_scipy"]


def threads_may_call_scipy():
    """Whether `scipy.fft` has no backend but scipy's own, so that new threads compute the same.

    ``with scipy.fft.set_backend(...)`` counts for its thread alone, and a backend that uses
    `scipy.fft.skip_backend` breaks in threads that come and go: scipy keeps that context by
    thread number and uses it again in a later thread of the same number. Where scipy does not
    tell, the answer is no.
    """
    try:
        of_all, of_thread, _ = get_state()._pickle()
        backends = [b for _, preferred in of_thread.values() for b, *_ in preferred]
        for (backend, *_), registered, _ in of_all.values():
            backends += [backend, *registered]
    except (AttributeError, TypeError, ValueError):
        return False
    return all(backend in (None, _ScipyBackend) for backend in backends)
