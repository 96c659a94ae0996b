"""A parallel map that keeps order and memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``function`` of every item, in order, by ``workers`` threads, at most twice as many results waiting.

    An error is raised where its result would have come; items not yet begun are given up.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="document") as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(remaining, 2 * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                for item in islice(remaining, 1):
                    waiting.append(pool.submit(function, item))
                yield result
        finally:
            for future in waiting:
                future.cancel()
