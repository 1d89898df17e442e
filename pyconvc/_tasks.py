# SPDX-License-Identifier: BSD-3-Clause
"""Tiles shared by threads, where Python hands them out."""

import itertools
import threading
from collections import deque

__all__ = ["share"]

PARTS_EACH = 4  # parts of the work for each thread, so that one that waits is not waited for


def share(work, items, workers):
    """Call ``work(items)`` on contiguous parts of a list, on up to `workers` threads.

    The caller is one of them; those that the system does not start are done without. An exception,
    Ctrl-C among them, ends the other threads after the item that they are at.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        work(items)
        return
    queue = _Queue(work, items, min(len(items), PARTS_EACH * workers))
    threads = _started(queue.run, workers - 1)
    try:
        queue.run()
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C while waiting
        queue.stop.set()
        raise
    finally:
        for thread in threads:
            thread.join()
    if queue.errors:
        raise queue.errors[0]


class _Queue:
    """Parts of the work, taken by threads one after the other."""

    def __init__(self, work, items, count):
        bounds = [len(items) * i // count for i in range(count + 1)]
        self.parts = deque(items[i:j] for i, j in itertools.pairwise(bounds))
        self.work, self.stop, self.errors = work, threading.Event(), []

    def run(self):
        """Work until no part is left, or another thread has failed."""
        try:
            while part := self._next():
                self.work(self._until_stopped(part))
        except BaseException as error:
            self.errors.append(error)
            self.stop.set()

    def _next(self):
        try:
            return None if self.stop.is_set() else self.parts.popleft()
        except IndexError:
            return None

    def _until_stopped(self, part):
        for item in part:
            if self.stop.is_set():
                return
            yield item


def _started(run, count):
    threads = []
    for _ in range(count):
        thread = threading.Thread(target=run, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more
            break
        threads.append(thread)
    return threads
