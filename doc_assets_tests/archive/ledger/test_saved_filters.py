import pytest

from doc_assets.archive.ledger.saved_filters import MOST
from doc_assets.errors import InputError
from doc_assets_tests.conftest import NOW


def test_a_person_keeps_filters_by_name_and_sees_no_others(ledger):
    kept = ledger.saved_filters
    kept.save("kim", "mine", "mine=1", NOW)
    kept.save("lee", "mine", "state=second", NOW)
    kept.save("kim", "cafes", "business=%EC%B9%B4", NOW)

    assert [(each.name, each.query) for each in kept.of("kim")] == [("cafes", "business=%EC%B9%B4"), ("mine", "mine=1")]
    assert [each.query for each in kept.of("lee")] == ["state=second"]


def test_one_of_the_same_name_is_replaced(ledger):
    kept = ledger.saved_filters
    kept.save("kim", "mine", "mine=1", NOW)
    kept.save("kim", "mine", "state=open", NOW)

    assert [each.query for each in kept.of("kim")] == ["state=open"]


def test_nobody_removes_what_another_keeps(ledger):
    kept = ledger.saved_filters
    number = kept.save("kim", "mine", "mine=1", NOW)

    assert not kept.remove("lee", number)
    assert kept.remove("kim", number)
    assert not kept.remove("kim", number)
    assert kept.of("kim") == []


def test_there_is_an_end_to_what_one_keeps(ledger):
    kept = ledger.saved_filters
    for number in range(MOST):
        kept.save("kim", f"{number}", "mine=1", NOW)

    with pytest.raises(InputError, match=str(MOST)):
        kept.save("kim", "one more", "mine=1", NOW)
    assert len(kept.of("kim")) == MOST
    kept.save("kim", "0", "state=open", NOW)
    kept.save("lee", "one more", "mine=1", NOW)
