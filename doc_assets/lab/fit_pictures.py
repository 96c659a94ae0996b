"""Where the fits get their pictures, and the processes that look at them."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from doc_assets.datatypes import RgbImage
from doc_assets.util.progress import track

PictureSource = Callable[[int], RgbImage]
"""Number -> picture, the same one always; handed to other processes, so it must be picklable."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    what: str,
    workers: int = os.cpu_count() or 1,
    batch: int = 20,
) -> list[Result]:
    """``work`` of every item, in order, by processes of one thread each.

    Args:
        work: must be picklable, as its items and results.
        items: what is worked on.
        what: names it in the progress bar.
        workers: number of processes.
        batch: items that a process takes at once.
    """
    spawn = multiprocessing.get_context("spawn")  # forking after torch has started threads may hang
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_use_one_thread) as pool:
        return list(track(pool.map(work, items, chunksize=batch), what, len(items)))


def _use_one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)
