# SPDX-License-Identifier: BSD-3-Clause
"""Tiles shared by threads, where Python hands them out."""

import threading
from concurrent.futures import ThreadPoolExecutor

PARTS_EACH = 4  # parts of the work for each thread, so that one that waits is not waited for


def share(work, items, workers):
    """Call ``work(items)`` on contiguous parts of a list, on up to `workers` threads.

    An exception, Ctrl-C among them, ends the other threads after the item that they are at.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        work(items)
        return
    stop = threading.Event()
    count = min(len(items), PARTS_EACH * workers)
    bounds = [len(items) * i // count for i in range(count + 1)]

    def run(first, last):
        try:
            work(_until(stop, items[first:last]))
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(workers) as pool:
        try:
            for _ in pool.map(run, bounds[:-1], bounds[1:]):
                pass
        except BaseException:  # Ctrl-C is raised here
            stop.set()
            raise


def _until(stop, items):
    for item in items:
        if stop.is_set():
            return
        yield item
