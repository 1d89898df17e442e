"""Calls whose arrays end, or begin, at a page that cannot be touched: a process that may crash.

Each call is printed before it is made: the last line tells which one read or wrote too far.
"""

import ctypes
import itertools
import mmap

import cases
import numpy as np
from cases import DTYPES, random
from nn_cases import MANY_CHANNELS

from pyconvc import _core, ndimage, nn

PROT_NONE = 0
SIZES = (1, 7, 8, 9, 15, 17, 31, 33, 64, 65, 127, 130, 200, 257, 300, 513, 1030)
TAPS = (1, 2, 3, 5, 8, 17, 40)


class Fenced:
    """Pages of memory between two that are out of bounds."""

    def __init__(self, nbytes):
        self.size = -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        self.room = mmap.mmap(-1, self.size + 2 * mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.room))
        for page in (start, start + mmap.PAGESIZE + self.size):
            _forbid(page)

    def array(self, shape, dtype, at_end):
        """An array that touches the page before it, or the one behind it."""
        nbytes = np.dtype(dtype).itemsize * int(np.prod(shape))
        offset = mmap.PAGESIZE + (self.size - nbytes if at_end else 0)
        return np.frombuffer(self.room, np.uint8, nbytes, offset).view(dtype).reshape(shape)


def _forbid(page):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), PROT_NONE):
        raise OSError(ctypes.get_errno(), "mprotect")


def problems():
    """(input, kernel, output, samples before) for lines, images and volumes."""
    for n, k in itertools.product(SIZES, TAPS):
        for before, m in ((0, n - k + 1), (k - 1, n + k - 1), (k // 2, n)):
            if m > 0:
                yield (n,), (k,), (m,), (before,)
                yield (3, n), (2, k), (3, m), (1, before)
    for n, k in itertools.product((5, 130, 300), (1, 3, 4)):
        yield (2, 3, n), (2, 2, k), (2, 3, n), (1, 0, k // 2)


def check(x, w, y, before, boundary):
    """The same bits as elsewhere in memory."""
    options = {"pad_before": before, "boundary": (boundary,) * len(before)}
    want = _core.correlate(x.copy(), w.copy(), np.empty_like(y), **options)
    assert _core.correlate(x, w, y, **options).tobytes() == want.tobytes()


def check_filters(rooms, n, dtype, at_end):
    """Rows of an image, which filters along axes read without a block."""
    x, y = (room.array((7, n), dtype, at_end) for room in rooms)
    x[...] = random(x.shape, dtype, n)
    for name, args in (("gaussian_filter", (1.0,)), ("uniform_filter", (5,))):
        function = getattr(ndimage, name)
        assert function(x, *args, output=y).tobytes() == function(x.copy(), *args).tobytes()


def check_transposed(x_shape, w_shape, options, at_end):
    """Layers whose results kernels write in their places."""
    function = cases.of_rank(nn, "conv_transpose", len(x_shape) - 2)
    x, w = random(x_shape, "f4"), random(w_shape, "f4", 1)
    want = function(x, w, **options)
    arrays = [Fenced(a.nbytes).array(a.shape, "f4", at_end) for a in (x, w, want)]
    arrays[0][...], arrays[1][...] = x, w
    got = function(*arrays[:2], **options, out=arrays[2])
    assert got.tobytes() == want.tobytes()


def check_planes(width, padding, stride, channels, at_end):
    """Planes that kernels read as they are, up to their edges."""
    x = random((1, 2 * channels, 4, width), "f4")
    w = random((2 * channels, channels, 3, 3), "f4", 1)
    options = {"padding": padding, "stride": stride, "groups": 2, "method": "direct"}
    want = nn.conv2d(x, w, **options)
    fenced, out = (Fenced(a.nbytes).array(a.shape, "f4", at_end) for a in (x, want))
    fenced[...] = x
    assert nn.conv2d(fenced, w, **options, out=out).tobytes() == want.tobytes()


def check_narrow(width, stride, channels, dtype, at_end):
    """Depthwise planes that are turned as they are packed, and kernels."""
    x, w = random((1, channels, 9, width), dtype), random((channels, 1, 5, 5), dtype, 1)
    options = {"padding": 2, "stride": stride, "groups": channels}
    want = nn.conv2d(x, w, **options)
    arrays = [Fenced(a.nbytes).array(a.shape, dtype, at_end) for a in (x, w, want)]
    arrays[0][...], arrays[1][...] = x, w
    assert nn.conv2d(*arrays[:2], **options, out=arrays[2]).tobytes() == want.tobytes()


def check_channels_last(width, stride, channels, at_end):
    """Lines of channels that are read where they lie, or packed."""
    x, w = random((1, 9, width, channels), "f4"), random((channels, 1, 3, 3), "f4", 1)
    options = {"padding": 1, "stride": stride, "groups": channels}
    want = np.ascontiguousarray(np.moveaxis(nn.conv2d(np.moveaxis(x, 3, 1), w, **options), 1, 3))
    fenced, out = (Fenced(a.nbytes).array(a.shape, "f4", at_end) for a in (x, want))
    fenced[...] = x
    nn.conv2d(np.moveaxis(fenced, 3, 1), w, **options, out=np.moveaxis(out, 3, 1))
    assert np.allclose(out, want, atol=1e-4)


def check_weight_grad(x_shape, channels, taps, at_end):
    """Weights of units of planes, of which the last has fewer."""
    x = random(x_shape, "f8")
    y = random((x_shape[0], channels, *(n - taps + 1 for n in x_shape[2:])), "f8", 1)
    w_shape = (channels, x_shape[1], taps, taps)
    fenced = Fenced(x.nbytes).array(x.shape, "f8", at_end)
    fenced[...] = x
    want = nn.grad.conv2d_weight(x, w_shape, y)
    assert nn.grad.conv2d_weight(fenced, w_shape, y).tobytes() == want.tobytes()


def main():
    rooms = [Fenced(1 << 16) for _ in range(3)]
    for problem, dtype, at_end in itertools.product(problems(), DTYPES, (False, True)):
        *shapes, before = problem
        print(dtype, *shapes, "at the end" if at_end else "at the start", flush=True)
        arrays = [r.array(s, dtype, at_end) for r, s in zip(rooms, shapes, strict=True)]
        for seed, array in enumerate(arrays):
            array[...] = random(array.shape, dtype, seed)
        check(*arrays, before, 0)
        check(arrays[0][..., ::-1], *arrays[1:], before, 3)
    for n, dtype, at_end in itertools.product(SIZES, ("f4", "c8", "u1", "u2"), (False, True)):
        print("filters", dtype, n, "at the end" if at_end else "at the start", flush=True)
        check_filters(rooms[:2], n, np.dtype(dtype), at_end)
    for (name, layer), at_end in itertools.product(MANY_CHANNELS.items(), (False, True)):
        print("transposed", name, "at the end" if at_end else "at the start", flush=True)
        check_transposed(*layer, at_end)
    for case in itertools.product(
        (7, 8, 9, 15, 16, 17, 24, 33, 64), (0, 1), (1, 2), (1, 4), (False, True)
    ):
        print("planes", *case, flush=True)
        check_planes(*case)
    for case in itertools.product(
        (1, 3, 5, 7, 9, 14, 28), (1, 2), (5, 8, 19), ("f4", "f8"), (False, True)
    ):
        print("narrow", *case, flush=True)
        check_narrow(*case)
    for case in itertools.product((9, 30, 60), (1, 2), (5, 16, 19, 64), (False, True)):
        print("channels last", *case, flush=True)
        check_channels_last(*case)
    for case in itertools.product(
        ((1, 95, 9, 5), (1, 130, 5, 4), (2, 67, 7, 7)), (64, 200), (1, 2, 3), (False, True)
    ):
        print("weights", *case, flush=True)
        check_weight_grad(*case)
    print("done")


if __name__ == "__main__":
    main()
