import threading

import pytest

from doc_assets.parallel import ordered_map


def test_results_keep_their_order_and_few_wait():
    begun = []
    most_ahead = 0

    def slow(n):
        begun.append(n)
        return n * n

    results = []
    for result in ordered_map(slow, range(50), workers=3):
        most_ahead = max(most_ahead, len(begun) - len(results))
        results.append(result)

    assert results == [n * n for n in range(50)]
    assert most_ahead <= 8


def test_an_error_surfaces_and_stops_the_rest():
    begun = set()
    lock = threading.Lock()

    def fail_at_three(n):
        with lock:
            begun.add(n)
        if n == 3:
            raise KeyError(n)
        return n

    with pytest.raises(KeyError):
        list(ordered_map(fail_at_three, range(1000), workers=2))

    assert len(begun) < 20
