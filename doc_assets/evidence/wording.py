"""What a result means, in Korean and English."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from doc_assets.ledger.searches import ResultRecord

Code = Literal[
    "identical_file",
    "photos_reused",
    "same_merchant",
    "own_photo_reused",
    "nothing_found",
    "not_searched",
    "partly_read",
]

_KEPT_NEARLY_ALL = 0.93
_TILTED_DEG = 1.5
_CONTRAST = 1.33
_BRIGHTNESS = 20.0
_SCALE = 1.6


@dataclass(frozen=True, slots=True)
class Text:
    """The same in both languages."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for a document's risk.

    Attributes:
        code: for programs.
        text: for people.
        counts: whether it raises the risk.
    """

    code: Code
    text: Text
    counts: bool


def reasons(result: ResultRecord) -> list[Reason]:
    """Why the document has its risk, the strongest reason first."""
    if result.risk_score is None:
        why = result.error or ""
        return [Reason("not_searched", Text(f"검색하지 못함: {why}", f"Not searched: {why}"), counts=False)]
    found = [_reason(match, result.n_photos) for match in result.top_docs if _speaks(match)]
    found.sort(key=lambda reason: not reason.counts)
    if result.error:
        text = Text(f"일부만 읽음: {result.error}", f"Read in part: {result.error}")
        found.append(Reason("partly_read", text, counts=False))
    if not any(reason.code != "partly_read" for reason in found):
        found.insert(0, Reason("nothing_found", Text("다시 쓰인 사진 없음", "No re-used photo found"), counts=False))
    return found


def _speaks(match: Mapping[str, Any]) -> bool:
    return bool(match["exact_duplicate"] or match["n_matched_photos"])


def _reason(match: Mapping[str, Any], n_photos: int) -> Reason:
    source = source_of(match)
    n = match["n_matched_photos"]
    if match["same_merchant"]:
        text = Text(
            f"같은 가맹점의 문서 {source.ko}에 같은 사진 {n or n_photos}장이 있음 (위험도에 넣지 않음)",
            f"{n or n_photos} of its photos stand in {source.en} of the same merchant (not counted)",
        )
        return Reason("same_merchant", text, counts=False)
    if not match["counts"]:
        text = Text(
            f"이 가맹점의 이전 사진 {n or n_photos}장을 {source.ko}가 다시 씀 (이 문서의 위험도에 넣지 않음)",
            f"{n or n_photos} earlier photos of this merchant are re-used by {source.en} (not counted here)",
        )
        return Reason("own_photo_reused", text, counts=False)
    if match["exact_duplicate"]:
        text = Text(f"{source.ko} 문서와 파일이 완전히 같음", f"The file is identical to {source.en}")
        return Reason("identical_file", text, counts=True)
    details = [_photo_line(pair) for pair in match["matches"] if pair["matched"]]
    text = Text(
        f"사진 {n_photos}장 중 {n}장이 {source.ko}에 이미 쓰임: " + "; ".join(detail.ko for detail in details),
        f"{n} of {n_photos} photo{'s' * (n_photos != 1)} already served in {source.en}: "
        + "; ".join(detail.en for detail in details),
    )
    return Reason("photos_reused", text, counts=True)


def source_of(match: Mapping[str, Any]) -> Text:
    """The matched document with its merchant and where it came from."""
    merchant = match["merchant_id"]
    where = {
        "archive": Text("", ""),
        "same_drop": Text("같은 입고분", "same drop"),
        "same_batch": Text("함께 검색한 문서", "searched together"),
    }[match["relation"]]
    ko = ", ".join(filter(None, [f"가맹점 {merchant}" if merchant else "", where.ko]))
    en = ", ".join(filter(None, [f"merchant {merchant}" if merchant else "", where.en]))
    name = match["document"]
    return Text(f"{name} ({ko})" if ko else name, f"{name} ({en})" if en else name)


def _photo_line(pair: Mapping[str, Any]) -> Text:
    done = changes(pair)
    return Text(
        f"{pair['query_page']}쪽 사진 {pair['query_photo'] + 1} = 원본 {pair['page']}쪽 사진 {pair['photo'] + 1}"
        f" ({', '.join(text.ko for text in done)})",
        f"page {pair['query_page']} photo {pair['query_photo'] + 1} = its page {pair['page']} photo {pair['photo'] + 1}"
        f" ({', '.join(text.en for text in done)})",
    )


def changes(pair: Mapping[str, Any]) -> list[Text]:
    """What was done to the archive photo, as far as it can be told; never empty."""
    found = pair.get("changes")
    if found is None:
        view = {"mirrored": pair["mirrored"], "quarter_turns": pair["quarter_turns"]}
        return [*_turned(view)] or [Text("변경 내용 알 수 없음", "changes unknown")]
    done = [*_turned(found), *_cut(found), *_toned(found)]
    return done or [Text("자르기·회전·밝기 변경 없음", "not cut, turned or toned")]


def _turned(change: Mapping[str, Any]) -> Iterator[Text]:
    if change["mirrored"]:
        yield Text("좌우 반전", "mirrored")
    # Turning the query back counter-clockwise means that it was turned clockwise.
    turn = {1: Text("시계 방향 90° 회전", "turned 90° clockwise"), 2: Text("180° 회전", "turned 180°")}
    turn[3] = Text("반시계 방향 90° 회전", "turned 90° counter-clockwise")
    if change["quarter_turns"]:
        yield turn[change["quarter_turns"]]


def _cut(change: Mapping[str, Any]) -> Iterator[Text]:
    if abs(change["tilt_deg"]) >= _TILTED_DEG:
        yield Text(f"{abs(change['tilt_deg']):.0f}° 기울어짐", f"tilted by {abs(change['tilt_deg']):.0f}°")
    if change["kept_share"] < _KEPT_NEARLY_ALL:
        share = f"{100 * change['kept_share']:.0f}"
        yield Text(f"원본의 {share} %만 남기고 자름", f"cropped to {share} % of the photo")
    if change["own_share"] < _KEPT_NEARLY_ALL:
        share = f"{100 * (1 - change['own_share']):.0f}"
        yield Text(f"둘레에 다른 내용 {share} %", f"{share} % of it is something else around the photo")
    if not 1 / _SCALE <= change["scale"] <= _SCALE:
        yield Text(f"{change['scale']:.1f}배 크기", f"{change['scale']:.1f} times the size")


def _toned(change: Mapping[str, Any]) -> Iterator[Text]:
    if change["contrast"] > _CONTRAST:
        yield Text("대비 높아짐", "more contrast")
    elif change["contrast"] < 1 / _CONTRAST:
        yield Text("대비 낮아짐", "less contrast")
    if change["brightness"] > _BRIGHTNESS:
        yield Text("밝아짐", "brighter")
    elif change["brightness"] < -_BRIGHTNESS:
        yield Text("어두워짐", "darker")
