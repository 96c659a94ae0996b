import threading
import time

import pytest

from doc_assets.util.threads import Workers


@pytest.fixture
def workers():
    threads = Workers(3)
    yield threads
    threads.close()


def test_results_keep_their_order_and_few_wait(workers):
    begun = []
    most_ahead = 0

    def slow(n):
        begun.append(n)
        return n * n

    results = []
    for result in workers.map(slow, range(50)):
        most_ahead = max(most_ahead, len(begun) - len(results))
        results.append(result)

    assert results == [n * n for n in range(50)]
    assert most_ahead <= 8


def test_an_error_surfaces_and_stops_the_rest(workers):
    begun = set()
    lock = threading.Lock()

    def fail_at_three(n):
        with lock:
            begun.add(n)
        if n == 3:
            raise KeyError(n)
        return n

    with pytest.raises(KeyError):
        list(workers.map(fail_at_three, range(1000)))

    assert len(begun) < 20


def test_after_an_error_nothing_runs_on_and_the_same_threads_serve_the_next_map(workers):
    running = set()
    names = set()

    def fail_at_once(n):
        if n == 0:
            raise KeyError(n)
        running.add(n)
        time.sleep(0.05)
        running.discard(n)

    def name_thread(n):
        names.add(threading.current_thread().name)
        return n

    with pytest.raises(KeyError):
        list(workers.map(fail_at_once, range(10)))

    assert not running
    assert list(workers.map(name_thread, range(50))) == list(range(50))
    assert list(workers.map(name_thread, range(50))) == list(range(50))
    assert len(names) <= 3
