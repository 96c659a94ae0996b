"""A parallel map that keeps order and memory, and calls that may never end."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Thread
from typing import Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_background(call: Callable[[], Result], name: str) -> Future[Result]:
    """Runs a call in a thread that does not keep the program alive, as threads of an executor do: it may never end.

    A time limit is the waiter's: ``result(timeout)`` of the future, which also raises whatever the call raised.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the waiter's
            future.set_exception(error)
        else:
            future.set_result(result)

    Thread(target=run, name=name, daemon=True).start()
    return future


class Workers:
    """Threads that serve one map after another.

    The same threads serve all of them, because the allocator gives every new thread an arena of its own:
    with new threads for each chunk of documents a process grew by a quarter.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._pool = ThreadPoolExecutor(n, thread_name_prefix="document")

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``function`` of every item, in order, at most twice as many results waiting as there are threads.

        An error is raised where its result would have come; items not yet begun are given up, those under
        way are waited for.
        """
        remaining = iter(items)
        waiting: deque[Future[Result]] = deque(
            self._pool.submit(function, item) for item in islice(remaining, 2 * self.n)
        )
        try:
            while waiting:
                result = waiting.popleft().result()
                for item in islice(remaining, 1):
                    waiting.append(self._pool.submit(function, item))
                yield result
        finally:
            for future in waiting:
                if not future.cancel():
                    future.exception()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads; what they are at is waited for."""
        self._pool.shutdown()
