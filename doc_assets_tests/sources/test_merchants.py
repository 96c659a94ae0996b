"""One merchant however its number is written; what is no number is named, and other identifiers stay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doc_assets.sources.merchants import common_beginning, has_check_digit, merchant_id, read_merchant

_WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789.-E"}
_numbers = st.from_regex(r"[0-9]{10}", fullmatch=True)


@pytest.mark.parametrize(
    "written",
    [
        "120-81-47521",
        "1208147521",
        " 120 81 47521 ",
        "120-81-47521".translate(_WIDE),
        "120\u201181\u201147521",
        "120\u221281\u221247521",
        "120\u00a081\u00a047521",
        "\ufeff1208147521\u200b",
        "120\u00ad81\u00ad47521",
        "120.81.47521",
        "1208147521.0",
        "1,208,147,521",
        "'1208147521",
        '="1208147521"',
        "12081-47521",
        "120 - 81 - 47521",
        "\t1208147521\r\n",
        "\u0661\u0662\u0660\u0668\u0661\u0664\u0667\u0665\u0662\u0661",
    ],
)
def test_one_merchant_however_its_number_is_written(written):
    assert merchant_id(written) == "1208147521"
    assert read_merchant(written).doubt == ""


@pytest.mark.parametrize(
    "text",
    [
        "1.20815E+09",
        "1.2E9",
        "120.815E7",
        "1.20815e+9",
        "1E+09",
        "1E9",
        "120815E4",
        "1,2E+09",
        "1.2E9".translate(_WIDE),
    ],
)
def test_a_number_that_was_rounded_is_a_named_fault_and_never_an_identity(text):
    found = read_merchant(text)

    assert (found.identity, merchant_id(text)) == (None, None)
    assert "is no merchant number" in found.fault


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#VALUE!", "########", "#DIV/0!", "1208147521.5"])
def test_what_stands_for_no_value_is_a_fault(text):
    assert read_merchant(text).fault
    assert merchant_id(text) is None


@pytest.mark.parametrize("text", ["", " ", "-", "nan", "None", "NULL", "--", "\u200b"])
def test_what_names_nobody_is_nobody(text):
    assert read_merchant(text).identity is None
    assert read_merchant(text).fault == ""


@pytest.mark.parametrize(
    "text",
    ["M-17", "SHOP A 01", "가맹점-3", "110111-1234567", "12-345", "12E5", "m-17", "A1208147521", "1101111234567", "0"],
)
def test_other_identifiers_stay_as_they_are(text):
    found = read_merchant(text)

    assert (found.identity, found.fault, found.doubt) == (text, "", "")


def test_a_wrong_check_digit_is_said_and_kept_apart():
    right, wrong = read_merchant("1208147521"), read_merchant("120-81-47522")

    assert (right.identity, right.doubt) == ("1208147521", "")
    assert (wrong.identity, wrong.fault) == ("1208147522", "")
    assert "wrong check digit" in wrong.doubt
    assert "leading zero" in read_merchant("108147501").doubt


def test_check_digits_of_known_companies():
    # Samsung Electronics, Naver, Kakao, Hyundai Motor, LG Electronics
    for number in ("1248100998", "2208162517", "1208147521", "1018109147", "1078614075"):
        assert has_check_digit(number)


@settings(max_examples=300, deadline=None)
@given(_numbers, st.sampled_from(["-", " ", "", "\uff0d", "\u2013", "\u00a0"]), st.booleans())
def test_every_way_of_writing_ten_digits_is_the_same_merchant(number, sign, wide):
    written = sign.join([number[:3], number[3:5], number[5:]])
    assert merchant_id(written.translate(_WIDE) if wide else written) == number


@settings(max_examples=200, deadline=None)
@given(_numbers, st.integers(0, 9), st.integers(1, 9))
def test_exactly_one_check_digit_is_right_and_one_changed_digit_is_noticed(number, place, change):
    right = next(number[:9] + str(last) for last in range(10) if has_check_digit(number[:9] + str(last)))
    assert sum(has_check_digit(number[:9] + str(last)) for last in range(10)) == 1
    if place == 9:
        assert not has_check_digit(right[:9] + str((int(right[9]) + change) % 10))


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40))
def test_an_identity_is_its_own_identity(text):
    identity = merchant_id(text)
    assert merchant_id(identity) == identity


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("큰나무약국 강남점", "큰나무약국 역삼점", "큰나무약국"),
        ("큰나무약국강남점", "(주)큰나무약국 역삼점", "큰나무약국"),
        ("㈜큰나무 약국", "큰나무약국", "큰나무"),
        ("BIG TREE 1호점", "Big  Tree 2호점", "BIG TREE"),
        ("모아 식당", "모아 상회", "모아"),
        ("모아식당", "모아상회", None),
        ("GS25 강남점", "GS24 역삼점", None),
        ("BIGGER", "BIGGEST", None),
        ("가게", "가게", "가게"),
        ("가", "가", None),
        ("", "가게", None),
    ],
)
def test_names_of_a_chain_begin_alike(one, other, wanted):
    assert common_beginning(one, other) == wanted


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_what_names_share_is_the_same_both_ways(one, other):
    found, back = common_beginning(one, other), common_beginning(other, one)
    assert (found is None) == (back is None)
    assert found is None or found.casefold() == back.casefold()
