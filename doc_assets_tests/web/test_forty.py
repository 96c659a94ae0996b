"""Twenty decisions a minute: forty cases are decided by keys in a browser, and three of them undone."""

import itertools
import shutil
import time

import pytest

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.settings import Settings
from doc_assets_tests.once import once
from doc_assets_tests.web import test_browser
from doc_assets_tests.web.conftest import EVERY
from doc_assets_tests.web.home import copy_of, fill

pytestmark = pytest.mark.slow

N_CASES, MINUTES = 40, 2
address, browse = test_browser.address, test_browser.browse
ONE_KEY = {("y",): ("same", "fraud"), ("n",): ("different", None), ("o",): ("other_shot", None)} | {
    ("t",): ("shared_thing", None),
    ("u",): ("cannot_tell", None),
    ("a", "1"): ("same", "renewal"),
}


@pytest.fixture
def home(tmp_path_factory, django, tmp_path):
    """A home with forty cases and its people."""

    def made(folder):
        fill(Settings(home=folder / "home", log_dir=folder / "log"), N_CASES)

    home = copy_of(once(tmp_path_factory, "forty", made) / "home", tmp_path / "home")
    shutil.copy(django, home / "accounts.sqlite")
    return home


def test_forty_cases_are_decided_by_keys_in_two_minutes(browse, home):
    with test_browser._ledger(home) as ledger:
        order = [case.case_id for case in ledger.cases.page(CaseFilter(states=EVERY), 100)]
        pairs = {case_id: len(found) for case_id, found in ledger.cases.pairs(order).items()}
    assert len(order) == N_CASES
    said = {case_id: [] for case_id in order}
    keys = itertools.cycle(ONE_KEY)

    with browse("ko") as seen:
        began = time.monotonic()
        seen.press("j")
        while seen.case_id != order[-1]:
            case_id, chosen = seen.case_id, next(keys)
            n = 1
            if pairs[case_id] > 1:  # of several pairs all are judged alike, so that each case takes one decision
                if not seen.page.is_checked("[name=all]"):
                    seen.page.keyboard.press("e")
                n = pairs[case_id]
            seen.press(*chosen)
            said[case_id] += [ONE_KEY[chosen]] * n
        for case_id in order[-2:-5:-1]:
            seen.press("z")
            assert seen.case_id == case_id
            said[case_id] += ["undone"] * pairs[case_id]
        while "/cases/" in seen.page.url:
            case_id = seen.case_id
            seen.press("n")
            said[case_id].append(("different", None))
        took_s = time.monotonic() - began

    with test_browser._ledger(home) as ledger:
        assert {case_id: test_browser._said(ledger, case_id) for case_id in order} == said
        assert {case.state for case in ledger.cases.page(CaseFilter(states=EVERY), 100)} == {"decided"}
        assert ledger.audit.verify().broken is None
    assert sum(answer == "undone" for answers in said.values() for answer in answers) == 3
    assert took_s < MINUTES * 60, f"{took_s:.0f} s"
