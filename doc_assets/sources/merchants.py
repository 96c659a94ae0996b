"""Merchants: one identity however a number is written, what is no number at all, and names that begin alike.

A Korean business number (사업자등록번호) has ten digits, the last of which is a check digit. Tables write it with
hyphens, blanks or full-width digits; all of these are the same merchant. Every other identifier stays as it is written.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

NAME_COLUMN = "가맹점상호명"
"""Of key tables: what a merchant calls itself."""
_DIGITS = 10
_MAX_CHARACTERS = 255

INVISIBLE = "".join(
    char
    for char in map(chr, (*range(0x3400), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0080)))
    if char.isspace() or unicodedata.category(char) in {"Cf", "Zs", "Zl", "Zp"} or char in "\u115f\u1160\u3164\uffa0"
)
"""Characters that nobody sees at the edge of a cell: blanks, marks of direction and width, U+FEFF, Hangul fillers."""

_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_DASHES = re.compile(r"[\u002d\u00ad\u058a\u2010-\u2015\u2043\u207b\u208b\u2212\u30fc\u3161\ufe58\ufe63\uff0d]")
_COMMON = re.compile(r"[0-9]{3}-?[0-9]{2}-?[0-9]{5}")
_QUOTED = re.compile(r'="(.*)"', re.DOTALL)
"""How tables keep a spreadsheet from rounding a number."""
_WRITTEN = re.compile(r"\d(?:[- ]*\d){9}")
_DOTTED = re.compile(r"(\d{3})([./_·])(\d{2})\2(\d{5})")
_THOUSANDS = re.compile(r"\d,\d{3},\d{3},\d{3}")
_WHOLE = re.compile(r"(\d+)\.0*")
_FRACTION = re.compile(r"\d{8,}\.\d+")
_POWER = re.compile(r"([+-]?)(\d+)([.,]\d*)?e([+-]?)(\d{1,4})", re.IGNORECASE)
_POWER_DIGITS = range(9, 14)
_ERROR = re.compile(
    r"#(?:n/a|value!|ref!|name\?|div/0!|null!|num!|spill!|calc!|getting_data|field!|blocked!)", re.IGNORECASE
)
_COMPANY = re.compile(r"\s*(?:\(주\)|주식회사|\(유\)|유한회사)\s*")
_FEWEST_OF_A_WORD, _FEWEST_WITHIN = 2, 3
"""Characters that two names share at least: of whole words, and where a word goes on in one of them."""
_NOBODY = frozenset({"nan", "null", "none", "n/a", "nat", "<na>"})


@dataclass(frozen=True, slots=True)
class Merchant:
    """What a cell says about whose a document is.

    Attributes:
        identity: the merchant; None if nobody is named.
        fault: why the cell names no merchant although something stands in it; empty if all is well.
        doubt: why the identity is suspicious; empty if it is not.
    """

    identity: str | None
    fault: str = ""
    doubt: str = ""


def merchant_id(text: str | None) -> str | None:
    """The identity that a text names: ten digits of a number however it is written, else the text without its edges.

    Two texts mean the same merchant if their identities are equal; None if they name none, as 1.20815E+09 does.
    """
    return None if text is None else read_merchant(text).identity


@lru_cache(maxsize=1 << 14)
def read_merchant(text: str) -> Merchant:
    """What a cell of a table says, with what speaks against it."""
    if _COMMON.fullmatch(text):
        identity = text.replace("-", "")
        return Merchant(identity, doubt=_doubt(identity))
    plain = _plain(text)
    if not plain or not plain.strip("-") or plain.casefold() in _NOBODY:
        return Merchant(None, doubt=f"{plain!r} names nobody" if plain else "")
    fault = _fault(plain)
    if fault:
        return Merchant(None, fault=fault)
    identity = _ten_digits(plain) or plain
    return Merchant(identity, doubt=_doubt(identity))


def common_beginning(one: str, other: str) -> str | None:
    """What two merchants' names begin with, as a chain's do: ``큰나무약국`` of 큰나무약국 강남점 and 큰나무약국역삼점.

    As the first name writes it; None if they share less. Case, width and marks of companies, (주), do not matter. Whole
    words count from two characters on, parts of words from three; a number or a word in Latin letters is never parted.
    """
    names = [" ".join(_COMPANY.sub(" ", _plain(name)).split()) for name in (one, other)]
    shortest = min(map(len, names))
    n = next((at for at in range(shortest) if names[0][at].casefold() != names[1][at].casefold()), shortest)
    while n and any(_parts_a_word(name, n) for name in names):
        n -= 1
    common = names[0][:n].rstrip()
    ends_words = all(len(name) == len(common) or name[len(common)] == " " for name in names)
    return common if len(common) >= (_FEWEST_OF_A_WORD if ends_words else _FEWEST_WITHIN) else None


def _parts_a_word(name: str, at: int) -> bool:
    """Whether a place in a name lies inside a number or a word in Latin letters."""
    around = name[at - 1 : at + 1]
    return at < len(name) and (around.isdecimal() or (around.isascii() and around.isalpha()))


def spellings(identity: str) -> tuple[str, ...]:
    """An identity and how it may stand where it was stored before identities were normalised."""
    if len(identity) == _DIGITS and identity.isdigit():
        return (identity, f"{identity[:3]}-{identity[3:5]}-{identity[5:]}")
    return (identity,)


def has_check_digit(number: str) -> bool:
    """Whether ten digits end in the check digit of a Korean business number."""
    digits = [int(char) for char in number]
    total = sum(digit * weight for digit, weight in zip(digits, _WEIGHTS, strict=False)) + digits[8] * 5 // 10
    return (10 - total % 10) % 10 == digits[9]


def is_error_text(text: str) -> bool:
    """Whether a text is what a spreadsheet shows instead of a value: an error, or a cell too narrow for its number."""
    return bool(_ERROR.fullmatch(text)) or (len(text) > 1 and not text.strip("#"))


def _plain(text: str) -> str:
    """The text in common width and composition, without what nobody sees at its edges."""
    plain, before = unicodedata.normalize("NFKC", text), None
    while plain != before:
        before = plain
        quoted = _QUOTED.fullmatch(plain)
        plain = (quoted[1] if quoted else plain).strip(INVISIBLE).lstrip("'\u2018\u2019`")
    return plain


def _ten_digits(plain: str) -> str | None:
    bare = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    bare = "".join(str(unicodedata.decimal(char, char)) for char in _DASHES.sub("-", bare))
    bare = re.sub(r"\s", " ", bare)
    if whole := _WHOLE.fullmatch(bare):
        bare = whole[1]
    if dotted := _DOTTED.fullmatch(bare):
        return dotted[1] + dotted[3] + dotted[4]
    if _THOUSANDS.fullmatch(bare):
        return bare.replace(",", "")
    return re.sub(r"[- ]", "", bare) if _WRITTEN.fullmatch(bare) else None


def _fault(plain: str) -> str:
    if is_error_text(plain):
        return f"{plain} is what a spreadsheet shows instead of a value"
    if len(plain) > _MAX_CHARACTERS:
        return f"{len(plain)} characters are no merchant number, at most {_MAX_CHARACTERS} are"
    if _is_power(plain):
        return (
            f"{plain} is no merchant number: a spreadsheet has rounded it; format the column as text and export again"
        )
    if _FRACTION.fullmatch(plain) and not _WHOLE.fullmatch(plain):
        return f"{plain} is no merchant number: it has decimals"
    return ""


def _is_power(plain: str) -> bool:
    """Whether this is a number in powers of ten; 12E5 may be an identifier, 1.2E9 and 1E+09 are not."""
    found = _POWER.fullmatch(plain)
    if found is None:
        return False
    sign, whole, part, exponent_sign, exponent = found.groups()
    return bool(sign or part or exponent_sign) or len(whole) + int(exponent) in _POWER_DIGITS


def _doubt(identity: str) -> str:
    if not (identity.isascii() and identity.isdigit()):
        return ""
    if len(identity) == _DIGITS and not has_check_digit(identity):
        return f"{identity} has a wrong check digit for a Korean business number"
    if len(identity) == _DIGITS - 1:
        return f"{identity} has nine digits; a leading zero may be lost"
    return ""
