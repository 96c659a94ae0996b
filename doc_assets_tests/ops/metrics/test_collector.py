"""Sources that are slow, broken or hang must not cost a scrape more than its limit, nor show anything false."""

import threading
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from doc_assets.ops.metrics.collector import Source, SourceCollector
from doc_assets.ops.metrics.families import gauge


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def scrape(collector):
    """Name and labels of every series, with its value."""
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def counting(name, answers):
    """A source that gives the next of ``answers``; an exception among them is raised."""
    rest = iter(answers)

    def read():
        answer = next(rest)
        if isinstance(answer, Exception):
            raise answer
        yield gauge(name, "Of this test.", answer)

    return Source(name, read)


def test_what_a_source_answered_is_kept_until_it_is_due(clock):
    collector = SourceCollector([counting("a", [1, 2])], 30, 5, clock)

    first = scrape(collector)["doc_assets_a",]
    clock.now += 29
    kept = scrape(collector)["doc_assets_a",]
    clock.now += 2
    fresh = scrape(collector)["doc_assets_a",]

    assert (first, kept, fresh) == (1, 1, 2)


def test_a_broken_source_says_so_and_shows_no_figure_and_the_others_do(clock):
    collector = SourceCollector(
        [counting("a", [1, ConnectionError("secret host"), 3]), counting("b", [7, 7, 7])], 30, 5, clock
    )
    well = scrape(collector)
    clock.now += 31
    broken = scrape(collector)
    clock.now += 31
    again = scrape(collector)

    assert (well["doc_assets_source_up", "a"], again["doc_assets_source_up", "a"]) == (1, 1)
    assert broken["doc_assets_source_up", "a"] == 0
    assert ("doc_assets_a",) not in broken
    assert (broken["doc_assets_b",], broken["doc_assets_source_up", "b"]) == (7, 1)
    assert again["doc_assets_a",] == 3


def test_a_source_that_breaks_half_way_shows_nothing_of_it(clock):
    def read():
        yield gauge("half", "Of this test.", 1)
        raise OSError("gone")

    assert ("doc_assets_half",) not in scrape(SourceCollector([Source("a", read)], 30, 5, clock))


def test_a_source_that_hangs_costs_a_scrape_its_limit_and_is_asked_once(clock):
    release, asked = threading.Event(), []

    def read():
        asked.append(1)
        release.wait(60)
        yield gauge("late", "Of this test.", 5)

    collector = SourceCollector([Source("a", read), counting("b", [1, 1, 1])], 30, 0.2, clock)
    began = time.monotonic()
    hanging = [scrape(collector) for _ in range(3)]
    took = time.monotonic() - began
    release.set()
    for _ in range(200):
        if ("doc_assets_late",) in (late := scrape(collector)):
            break
        time.sleep(0.01)

    assert took < 5
    assert {found["doc_assets_source_up", "a"] for found in hanging} == {0}
    assert {found["doc_assets_b",] for found in hanging} == {1}
    assert len(asked) == 1
    assert late["doc_assets_late",] == 5


def test_no_source_ages_while_a_scrape_waits_for_another(clock):
    gate, n_read = threading.Event(), []

    def slow():
        n_read.append(1)
        if len(n_read) == 1:
            gate.wait(60)  # a second by the clock, so that it is due again in twenty
        else:
            clock.now += 3.5
        yield gauge("b", "Of this test.", 1)

    collector = SourceCollector([counting("a", range(5)), Source("b", slow)], 2, 0.05, clock)
    scrape(collector)
    clock.now += 1
    gate.set()
    while not scrape(collector)["doc_assets_source_up", "b"]:
        time.sleep(0.01)
    clock.now += 18.5
    scrape(collector)
    clock.now += 1.5
    waited = scrape(collector)

    assert len(n_read) == 2
    assert waited["doc_assets_source_up", "a"] == 1


def test_an_answer_is_shown_while_a_newer_one_is_read_but_not_for_ever(clock):
    release = threading.Event()
    n_read = []

    def read():
        n_read.append(1)
        if len(n_read) > 1:
            release.wait(60)
        yield gauge("a", "Of this test.", len(n_read))

    collector = SourceCollector([Source("a", read)], 30, 0.05, clock)
    scrape(collector)
    clock.now += 31
    young = scrape(collector)
    clock.now += 31
    old = scrape(collector)
    release.set()

    assert (young["doc_assets_a",], young["doc_assets_source_up", "a"]) == (1, 1)
    assert old["doc_assets_source_up", "a"] == 0
    assert ("doc_assets_a",) not in old


def test_a_slow_source_is_read_for_a_twentieth_of_the_time_at_most(clock):
    n_read = []

    def read():
        n_read.append(1)
        clock.now += 10  # it takes ten seconds
        yield gauge("a", "Of this test.", len(n_read))

    collector = SourceCollector([Source("a", read)], 30, 5, clock)
    for _ in range(100):
        scrape(collector)
        clock.now += 15

    assert len(n_read) <= 1 + 1500 * 0.05 / 10 + 1
    assert len(n_read) > 3


def test_a_slow_source_that_goes_away_is_noticed_when_it_is_read_again_and_its_return_at_once(clock):
    is_away, n_read = [False], []

    def read():
        n_read.append(1)
        if is_away[0]:
            raise ConnectionError("away")
        clock.now += 10
        yield gauge("a", "Of this test.", 1)

    collector = SourceCollector([Source("a", read)], 30, 5, clock)
    seen = []
    for is_away[0], pause_s in ((False, 199), (True, 2), (True, 31), (False, 31)):
        seen.append(scrape(collector))
        clock.now += pause_s

    assert [found["doc_assets_source_up", "a"] for found in seen] == [1, 1, 0, 1]
    assert ("doc_assets_a",) not in seen[2]
    assert len(n_read) == 3  # not while the first reading, which took ten seconds, is younger than 200


def test_a_source_that_fails_slowly_is_asked_again_as_soon_as_any_other_and_logged_once(clock, caplog):
    answers = iter([ConnectionError("away"), ConnectionError("away"), None, ConnectionError("away again")])

    def read():
        clock.now += 10
        if (error := next(answers)) is not None:
            raise error
        yield gauge("a", "Of this test.", 1)

    collector = SourceCollector([Source("a", read)], 30, 5, clock)
    seen = []
    for pause_s in (31, 31, 199, 2):
        seen.append(scrape(collector))
        clock.now += pause_s
    last = scrape(collector)

    assert [found["doc_assets_source_up", "a"] for found in seen] == [0, 0, 1, 1]
    assert last["doc_assets_source_up", "a"] == 0
    assert {found["doc_assets_source_read_seconds", "a"] for found in (*seen, last)} == {10}
    assert [record.getMessage() for record in caplog.records] == [
        "The metrics of a cannot be read: ConnectionError: away",
        "The metrics of a cannot be read: ConnectionError: away again",
    ]
