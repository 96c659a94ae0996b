"""What a result means, in Korean and English."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from doc_assets.archive.ledger.results import (
    ALIKE,
    Colours,
    Finding,
    FindingKind,
    FoundDocument,
    PairKind,
    PhotoPair,
    ResultRecord,
    Use,
)
from doc_assets.datatypes import Changes, View

Code = FindingKind | Literal["identical_file", "doubt", "nothing_found", "not_searched", "partly_read", "not_compared"]

_KEPT_NEARLY_ALL = 0.93
_TILTED_DEG = 1.5
_CONTRAST = 1.33
_BRIGHTNESS = 20.0
_SCALE = 1.6
_FAULTS_SAID = 5
_OFF_PLANE, _BORDER, _LIGHT = 0.1, 0.9, 0.8
_DOUBT = 0.2
"""A doubt of less is what photographs that have nothing in common reach."""


@dataclass(frozen=True, slots=True)
class Text:
    """The same in both languages."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for a document's risk, with a code for programs; it counts if it is why the document is flagged."""

    code: Code
    text: Text
    counts: bool


FINDINGS: dict[FindingKind, Text] = {
    "reuse": Text("다른 가맹점 사진 재사용", "re-use"),
    "same_day": Text("같은 날 사용(선후 불명)", "same day, order unknown"),
    "merchant_unknown": Text("가맹점 불명", "merchant unknown"),
    "cannot_tell": Text("같은 사진인지 구별 불가", "cannot be told from another shot"),
    "own_photo_again": Text("자기 사진 다시 사용", "own photo again"),
    "first_use": Text("최초 사용", "first use"),
    "other_shot": Text("같은 장면의 다른 사진", "another shot of the same scene"),
    "shared_thing": Text("같은 인쇄물이 찍힌 다른 사진", "the same printed thing"),
    "form_picture": Text("서식의 그림", "picture of the form"),
}
KINDS: dict[PairKind, Text] = {
    "same_photograph": Text("같은 사진", "same photograph"),
    "other_shot": FINDINGS["other_shot"],
    "shared_thing": FINDINGS["shared_thing"],
    "form_picture": FINDINGS["form_picture"],
    "cannot_tell": FINDINGS["cannot_tell"],
}
DATE_SOURCES = {
    "key_table": Text("키 목록 기준", "by its key table"),
    "name": Text("파일명 기준", "by its name"),
    "arrival": Text("입고일 기준", "by its arrival"),
}
_COLOURS: dict[Colours, Text] = {
    "lost": Text("흑백으로 바꿈", "made grey"),
    "gained": Text("상대 사진은 흑백", "grey in the other document"),
}
# Turning the query back counter-clockwise means that it was turned clockwise.
_TURNS = (
    Text("시계 방향 90° 회전", "turned 90° clockwise"),
    Text("180° 회전", "turned 180°"),
    Text("반시계 방향 90° 회전", "turned 90° counter-clockwise"),
)


def reasons(result: ResultRecord) -> list[Reason]:
    """Why the document has its risk, the gravest reason first; one that counts stands there only if it is flagged."""
    if result.risk_score is None:
        why = result.error or ""
        unknown = Reason("not_searched", Text(f"검색하지 못함: {why}", f"Not searched: {why}"), counts=False)
        return [unknown, _not_compared(result)] if result.faults else [unknown]
    found = [_reason(result, alike) for alike in _alike(result.findings)]
    if result.doubt >= _DOUBT and not any(finding.kind == "cannot_tell" for finding in result.findings):
        found.append(_doubt(result))
    if not found:
        found.append(Reason("nothing_found", Text("다시 쓰인 사진 없음", "No re-used photo found"), counts=False))
    if result.error:
        text = Text(f"일부만 읽음: {result.error}", f"Read in part: {result.error}")
        found.append(Reason("partly_read", text, counts=False))
    if result.faults:
        found.append(_not_compared(result))
    return found


def _alike(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one kind with one first use together; photos of an identical file are said with the file."""
    files = {(finding.kind, finding.first_use.document) for finding in findings if finding.photo is None}
    groups: dict[tuple[bool, FindingKind, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.kind, finding.first_use.document)
        if finding.photo is None or key not in files:
            groups.setdefault((finding.photo is None, *key), []).append(finding)
    return list(groups.values())


def _not_compared(result: ResultRecord) -> Reason:
    said = "; ".join(fault.in_words() for fault in result.faults[:_FAULTS_SAID])
    n, more = len(result.faults), " ..." * (len(result.faults) > _FAULTS_SAID)
    text = Text(f"비교하지 못한 것 {n}건: {said}{more}", f"{n} comparison{'s' * (n != 1)} failed: {said}{more}")
    return Reason("not_compared", text, counts=False)


def _doubt(result: ResultRecord) -> Reason:
    best = f"{result.doubt:.2f}"
    text = Text(
        f"비슷한 사진이 있으나 같은 사진이라고 하기에는 부족함 (확률 {best}, 위험도에 넣지 않음)",
        f"A photo looks alike, not enough to be called the same (probability {best}, not counted)",
    )
    return Reason("doubt", text, counts=False)


def _reason(result: ResultRecord, alike: Sequence[Finding]) -> Reason:
    first = alike[0]
    text = _file_says(result, first) if first.photo is None else _photos_say(result, alike)
    if first.counts and not result.flagged:
        text = Text(f"{text.ko} (확인 기준 미만)", f"{text.en} (below the threshold of a flag)")
    elif not first.counts:
        text = Text(f"{text.ko} (위험도에 넣지 않음)", f"{text.en} (not counted)")
    code: Code = "identical_file" if first.photo is None and first.counts else first.kind
    return Reason(code, text, counts=first.counts and result.flagged)


def _file_says(result: ResultRecord, finding: Finding) -> Text:
    other = result.found(finding.found_in)
    name = source_of(other) if other is not None else use_of(finding.first_use)
    first = use_of(finding.first_use)
    texts: dict[FindingKind, Text] = {
        "reuse": Text(
            f"완전히 같은 파일: {name.ko}, 최초 사용 {first.ko}",
            f"The file is identical to {name.en}, first used in {first.en}",
        ),
        "same_day": Text(
            f"같은 날의 완전히 같은 파일: {name.ko}, 선후를 알 수 없음",
            f"The file is identical to {name.en} of the same day; which was first is not known",
        ),
        "merchant_unknown": Text(
            f"완전히 같은 파일: {name.ko}, 가맹점을 알 수 없음",
            f"The file is identical to {name.en}; whether it is another merchant's is not known",
        ),
        "own_photo_again": Text(
            f"같은 가맹점의 완전히 같은 파일: {name.ko}",
            f"The file is identical to {name.en} of the same merchant",
        ),
        "first_use": Text(
            f"최초 사용인 파일, 이후 완전히 같은 파일: {name.ko}", f"This file was first; {name.en} is identical to it"
        ),
    }
    return texts[finding.kind]


def _photos_say(result: ResultRecord, alike: Sequence[Finding]) -> Text:
    first, n, total = alike[0], len(alike), result.n_photos
    use = use_of(first.first_use)
    others = _others(max(alike, key=lambda finding: finding.n_documents))
    details = [_photo_line(result, finding) for finding in alike]
    where = Text("; ".join(text.ko for text in details), "; ".join(text.en for text in details))
    photos = f"{n} of {total} photo{'s' * (total != 1)}"
    if first.kind in ALIKE:
        return _likeness_says(result, alike, where)
    texts: dict[FindingKind, Text] = {
        "reuse": Text(
            f"사진 {total}장 중 {n}장을 다른 가맹점이 먼저 씀: 최초 사용 {use.ko}, {others.ko}. {where.ko}",
            f"{photos} served another merchant before: first used in {use.en}, {others.en}. {where.en}",
        ),
        "same_day": Text(
            f"사진 {total}장 중 {n}장을 다른 가맹점도 같은 날 씀, 선후를 알 수 없음: {use.ko}, {others.ko}. {where.ko}",
            f"{photos} served another merchant on the same day, which was first is not known: {use.en}, {others.en}. "
            f"{where.en}",
        ),
        "merchant_unknown": Text(
            f"사진 {total}장 중 {n}장이 이미 쓰임, 다른 가맹점인지 알 수 없음: {use.ko}, {others.ko}. {where.ko}",
            f"{photos} served before, whether another merchant is not known: {use.en}, {others.en}. {where.en}",
        ),
        "own_photo_again": Text(
            f"사진 {total}장 중 {n}장은 이 가맹점이 처음 쓴 사진: 최초 사용 {use.ko}, {others.ko}. {where.ko}",
            f"{photos} this merchant used first itself: {use.en}, {others.en}. {where.en}",
        ),
        "first_use": Text(
            f"사진 {total}장 중 {n}장은 이 문서가 최초 사용, 이후 {others.ko}. {where.ko}",
            f"{photos} were first used here, since then {others.en}. {where.en}",
        ),
    }
    return texts[first.kind]


def _likeness_says(result: ResultRecord, alike: Sequence[Finding], where: Text) -> Text:
    """What is to be said of photos that are alike without showing one photograph."""
    first, n, total = alike[0], len(alike), result.n_photos
    use = use_of(first.first_use)
    ko, photos = f"사진 {total}장 중 {n}장", f"{n} of {total} photo{'s' * (total != 1)}"
    show = "s" if n == 1 else ""
    name = _common_name(result, alike)
    texts: dict[FindingKind, Text] = {
        "cannot_tell": Text(
            f"{ko}은 같은 장면: {use.ko}. 같은 사진인지 다시 찍은 사진인지 구별할 수 없음.{name.ko} {where.ko}",
            f"{photos} show{show} the scene of a photo in {use.en}; whether it is the same photo or another shot "
            f"cannot be told.{name.en} {where.en}",
        ),
        "other_shot": Text(
            f"{ko}은 같은 장면을 다시 찍은 다른 사진: {use.ko}. {where.ko}",
            f"{photos} show{show} a scene of which {use.en} shows another shot. {where.en}",
        ),
        "shared_thing": Text(
            f"{ko}에 같은 인쇄물(간판, 포스터, 메뉴판 등)이 찍혔으나 다른 사진: {use.ko}.{name.ko} {where.ko}",
            f"{photos} show{show} a printed thing (sign, poster, menu board) that stands in a photo of {use.en} too; "
            f"the photos are different.{name.en} {where.en}",
        ),
        "form_picture": Text(
            f"{ko}은 여러 문서가 함께 쓰는 서식의 그림: {use.ko}에도 있음. {where.ko}",
            f"{photos} {'is a picture' if n == 1 else 'are pictures'} of the form, in {use.en} too. {where.en}",
        ),
    }
    return texts[first.kind]


def _common_name(result: ResultRecord, alike: Sequence[Finding]) -> Text:
    """That both merchants are called alike, as those of one chain are; empty if they are not."""
    found = [result.found(finding.found_in) for finding in alike]
    common = next((each.common_name for each in found if each is not None and each.common_name), None)
    if common is None:
        return Text("", "")
    return Text(f" 두 가맹점 이름의 앞부분이 같음: '{common}'.", f" The names of both merchants begin with '{common}'.")


def _others(finding: Finding) -> Text:
    n, m = finding.n_documents, finding.n_merchants
    documents, merchants = f"{n} other document{'s' * (n != 1)}", f"{m} other merchant{'s' * (m != 1)}"
    return Text(
        f"다른 문서 {n}건(다른 가맹점 {m}곳)에 있음" if m else f"다른 문서 {n}건에 있음",
        f"shown in {documents}" + (f" of {merchants}" if m else ""),
    )


def use_of(use: Use) -> Text:
    """A document with its merchant and date."""
    source = DATE_SOURCES[use.date_source]
    day = Text(f"{use.document_date} {source.ko}", f"{use.document_date} {source.en}")
    return _with_details(use.document, use.merchant_id, day)


def source_of(found: FoundDocument) -> Text:
    """A found document with its merchant, its date and where it came from."""
    where = {
        "archive": Text("", ""),
        "same_drop": Text("같은 입고분", "same drop"),
        "same_batch": Text("함께 검색한 문서", "searched together"),
    }[found.relation]
    day = "" if found.document_date is None else found.document_date.isoformat()
    return _with_details(found.document, found.merchant_id, Text(day, day), where)


def _with_details(document: str, merchant_id: str | None, *details: Text) -> Text:
    """A document's name with what is known of it in brackets."""
    if merchant_id:
        details = Text(f"가맹점 {merchant_id}", f"merchant {merchant_id}"), *details
    ko, en = (", ".join(filter(None, parts)) for parts in ([d.ko for d in details], [d.en for d in details]))
    return Text(f"{document} ({ko})" if ko else document, f"{document} ({en})" if en else document)


def best_pair(result: ResultRecord, finding: Finding) -> tuple[FoundDocument, PhotoPair] | None:
    """The pair that shows a finding; None for one between files, or over other documents alone."""
    found = result.found(finding.found_in)
    if found is None or finding.photo is None:
        return None
    pairs = [
        pair
        for pair in found.matches
        if pair.query_photo == finding.photo and (pair.kind == finding.kind if finding.kind in ALIKE else pair.matched)
    ]
    return (found, pairs[0]) if pairs else None


def _photo_line(result: ResultRecord, finding: Finding) -> Text:
    shown = best_pair(result, finding)
    photo = (finding.photo or 0) + 1
    if shown is None:
        return Text(f"사진 {photo}", f"photo {photo}")
    found, pair = shown
    done = said_of(pair)
    return Text(
        f"{pair.query_page}쪽 사진 {photo} = {found.document} {pair.page}쪽 사진 {pair.photo + 1}"
        f" ({', '.join(text.ko for text in done)})",
        f"page {pair.query_page} photo {photo} = {found.document} page {pair.page} photo {pair.photo + 1}"
        f" ({', '.join(text.en for text in done)})",
    )


def said_of(pair: PhotoPair) -> list[Text]:
    """What was done to the photo of a pair that shows one photograph; of any other, why the two are alike."""
    if pair.kind in {None, "same_photograph"}:
        return changes(pair)
    return [KINDS[pair.kind], *_signs(pair)]


def _signs(pair: PhotoPair) -> Iterator[Text]:
    """What a dense look saw that one photograph would not show."""
    if pair.likeness is None or pair.kind == "form_picture":
        return
    traits = pair.likeness.traits
    if pair.kind in {"other_shot", "cannot_tell"} and traits.residual >= _OFF_PLANE:
        yield Text(
            f"부분마다 최대 {traits.residual:.1f}% 어긋남", f"parts lie up to {traits.residual:.1f} % of the width off"
        )
    if pair.kind == "shared_thing" and traits.border < _BORDER:
        share = f"{100 * (1 - traits.border):.0f}"
        yield Text(f"가장자리의 {share}%가 다름", f"{share} % of what surrounds it differs")
    if traits.light < _LIGHT:
        yield Text("빛이 다름", "the light differs")


def changes(pair: PhotoPair) -> list[Text]:
    """What was done to the archive photo, as far as it can be told; never empty."""
    found = pair.changes
    colours = [] if pair.colours is None else [_COLOURS[pair.colours]]
    if found is None:
        turned = [*_turned(View(pair.quarter_turns, pair.mirrored)), *colours]
        return turned or [Text("변경 내용 알 수 없음", "changes unknown")]
    done = [*_turned(found), *_cut(found), *colours, *_toned(found)]
    return done or [Text("자르기·회전·밝기 변경 없음", "not cut, turned or toned")]


def _turned(change: Changes | View) -> Iterator[Text]:
    if change.mirrored:
        yield Text("좌우 반전", "mirrored")
    if change.quarter_turns:
        yield _TURNS[change.quarter_turns - 1]


def _cut(change: Changes) -> Iterator[Text]:
    if abs(change.tilt_deg) >= _TILTED_DEG:
        yield Text(f"{abs(change.tilt_deg):.0f}° 기울어짐", f"tilted by {abs(change.tilt_deg):.0f}°")
    if change.kept_share < _KEPT_NEARLY_ALL:
        share = f"{100 * change.kept_share:.0f}"
        yield Text(f"원본의 {share}%만 남기고 자름", f"cropped to {share} % of the photo")
    if change.own_share < _KEPT_NEARLY_ALL:
        share = f"{100 * (1 - change.own_share):.0f}"
        yield Text(f"둘레에 다른 내용 {share}%", f"{share} % of it is something else around the photo")
    if not 1 / _SCALE <= change.scale <= _SCALE:
        yield Text(f"{change.scale:.1f}배 크기", f"{change.scale:.1f} times the size")


def _toned(change: Changes) -> Iterator[Text]:
    if change.contrast > _CONTRAST:
        yield Text("대비 높아짐", "more contrast")
    elif change.contrast < 1 / _CONTRAST:
        yield Text("대비 낮아짐", "less contrast")
    if change.brightness > _BRIGHTNESS:
        yield Text("밝아짐", "brighter")
    elif change.brightness < -_BRIGHTNESS:
        yield Text("어두워짐", "darker")
