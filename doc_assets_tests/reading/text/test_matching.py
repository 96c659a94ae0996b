import unicodedata

import pytest

from doc_assets.errors import SettingsError
from doc_assets.lab.forms import TITLE
from doc_assets.reading.text.matching import TextMode, WantedText, normalised, snippet

FORM = "가맹점 실사 보고서"


@pytest.mark.parametrize(
    "read",
    [
        "가맹점 실사 사진",
        "가 맹 점  실사사진",
        "□ 가맹점·실사 [사진]",
        "첫 줄\n가맹점 실사\n사진",
        unicodedata.normalize("NFD", "가맹점 실사 사진"),
    ],
)
def test_spaces_signs_and_composition_do_not_matter(read):
    assert WantedText(TITLE).find(read) is not None


def test_width_and_case_do_not_matter():
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in "ABC-123Test")

    assert normalised(wide) == normalised("abc 123 TEST") == "abc123test"


@pytest.mark.parametrize("max_errors", [0, 1, 5, 100])
def test_the_form_is_never_taken_for_the_photo_page(max_errors):
    for mode in TextMode:
        assert WantedText(TITLE, mode, max_errors).find(FORM) is None


@pytest.mark.parametrize("read", ["가맹점 심사 사진", "맹점 실사 사진", "가맹점 실사 사  사진", "가맹점 실시 사진"])
def test_one_misread_letter_is_forgiven_if_asked(read):
    assert WantedText(TITLE, max_errors=1).find(read) is not None
    assert WantedText(TITLE, max_errors=0).find(read) is None


def test_two_misread_letters_in_seven_are_too_many():
    assert WantedText(TITLE, max_errors=2).find("가맹점 심시 사진") is None


def test_short_words_must_be_read_as_they_are():
    assert WantedText("사진", max_errors=1).find("사전") is None


def test_all_words_may_stand_anywhere_but_all_must():
    wanted = WantedText("사진 가맹점", TextMode.ALL_WORDS)

    assert wanted.find("가맹점 외부\n사진") == "가맹점 외부 / 사진"
    assert wanted.find("가맹점 외부") is None
    assert WantedText("사진 가맹점").find("가맹점 외부\n사진") is None


def test_what_is_shown_are_the_lines_with_the_text():
    assert WantedText(TITLE).find("머리말\n1. 가맹점 실사\n사진 (1/2)\n끝") == "1. 가맹점 실사 / 사진 (1/2)"
    assert len(snippet("가" * 1000)) == 120


@pytest.mark.parametrize("text", ["", "  ", "()·"])
def test_a_text_without_letters_is_refused(text):
    with pytest.raises(SettingsError, match="letter"):
        WantedText(text)
