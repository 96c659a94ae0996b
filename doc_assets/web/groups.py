"""A photo group: all documents that show one photograph, who was first, and one decision for pairs of open cases."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.groups import GroupSummary
from doc_assets.archive.ledger.traces import GroupPair, GroupPhoto
from doc_assets.archive.ledger.verdicts import Answer
from doc_assets.errors import InputError
from doc_assets.util.visible import visible
from doc_assets.web.access import JUDGES
from doc_assets.web.case import USES, note_of, remember, said_in_words, snapshot_of
from doc_assets.web.desk import the_desk
from doc_assets.web.documents import in_all, photo_name
from doc_assets.web.pairs import percent
from doc_assets.web.queue import photo_address
from doc_assets.web.subjects import group_address, named, number_of
from doc_assets.web.wording import finding_name, say

_PHOTOS = 60
_PAIRS = 80
"""Pairs on one page; a form of Django's takes a hundred fields."""
_LANES = 12
_WIDTH, _LANE, _LEFT, _RIGHT = 1000, 26, 190, 20
"""Of the timeline, in units of its picture: its width, the height of a merchant's row, and the margins of its dates."""
_LONGEST_LABEL = 18

ANSWERS = (
    Answer("same", "fraud"),
    *(Answer("same", use) for use in USES),
    Answer("different"),
    Answer("other_shot"),
    Answer("shared_thing"),
    Answer("cannot_tell"),
)
"""In the order that the form offers them."""


@require_GET
def group(request: HttpRequest, group_id: int) -> HttpResponse:
    """All documents that show one photograph, the earliest first."""
    desk, found = the_desk(), _found(group_id)
    traces, person = desk.archive.ledger.traces, request.user.get_username()
    desk.archive.ledger.audit.add(person, "group.see", f"group {group_id}", desk.now())
    after = _after(request)
    photos = traces.group_photos(group_id, _PHOTOS + 1, after)
    shown = photos[:_PHOTOS]
    pairs = traces.group_pairs(group_id, _PAIRS) if after is None else []
    return render(
        request,
        "desk/group.html",
        {
            "group": found,
            "says": say("group_says", documents=found.n_documents, merchants=found.n_merchants),
            "photos": [_tile(photo, is_first=after is None and at == 0) for at, photo in enumerate(shown)],
            "timeline": _timeline(shown),
            "is_first": after is None,
            "more": _place(shown[-1]) if len(photos) > _PHOTOS else "",
            "pairs": _pair_lines(pairs),
            "may_judge": bool(JUDGES & request.roles),
            "answers": [(_value(each), said_in_words(each)) for each in ANSWERS],
        },
    )


@require_POST
def group_preview(request: HttpRequest, group_id: int) -> HttpResponse:
    """Shows what a decision on the ticked pairs would file, pair by pair, and files nothing."""
    found, asked = _found(group_id), _asked(request, group_id)
    if isinstance(asked, HttpResponse):
        return asked
    return render(
        request,
        "desk/group_preview.html",
        {
            "group": found,
            "says": in_all(found.n_documents, found.n_merchants),
            "answer": said_in_words(asked.answer),
            "value": _value(asked.answer),
            "note": visible(asked.note),
            "raw_note": asked.note,
            "pairs": _pair_lines(asked.pairs, {each.case_id: _refusal(request, each.case_id) for each in asked.pairs}),
        },
    )


@require_POST
def group_decide(request: HttpRequest, group_id: int) -> HttpResponse:
    """Files one answer for the ticked pairs: a verdict and a row of the audit for each of them."""
    _found(group_id)
    asked = _asked(request, group_id)
    if isinstance(asked, HttpResponse):
        return asked
    by_case: dict[int, list[GroupPair]] = defaultdict(list)
    for pair in asked.pairs:
        by_case[pair.case_id].append(pair)
    done = [len(pairs) for case_id, pairs in by_case.items() if _decided(request, group_id, case_id, pairs, asked)]
    messages.success(
        request, f"{said_in_words(asked.answer)}: {say('group_decided', pairs=sum(done), cases=len(done))}"
    )
    if len(done) < len(by_case):
        messages.warning(request, say("group_left_out", n=len(by_case) - len(done)))
    return redirect(group_address(group_id))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a form asks to file: one answer and note for these pairs."""

    answer: Answer
    note: str
    pairs: tuple[GroupPair, ...]


def _asked(request: HttpRequest, group_id: int) -> _Asked | HttpResponse:
    """What a form asks for; an answer to the browser if that cannot be filed."""
    answer = next((each for each in ANSWERS if _value(each) == request.POST.get("answer")), None)
    if answer is None:
        says = f"answer={request.POST.get('answer')!r} is no answer"
        return HttpResponse(says, status=400, content_type="text/plain; charset=utf-8")
    ticked = set(request.POST.getlist("pair"))
    pairs = the_desk().archive.ledger.traces.group_pairs(group_id, _PAIRS)
    chosen = tuple(pair for pair in pairs if _key(pair) in ticked)
    note = note_of(request)
    why = "nothing_ticked" if not chosen else "note_wanted" if answer.use == "other" and not note else None
    if why is not None:
        messages.warning(request, say(why))
        return redirect(group_address(group_id))
    return _Asked(answer, note, chosen)


def _decided(request: HttpRequest, group_id: int, case_id: int, pairs: Sequence[GroupPair], asked: _Asked) -> bool:
    """Files the answer for pairs of one case; False if this person may not judge it now."""
    desk, person = the_desk(), request.user.get_username()
    cases = desk.archive.ledger.cases
    known = {pair.pair_key: pair for pair in cases.pairs([case_id]).get(case_id, [])}
    keys = list(dict.fromkeys(pair.pair_key for pair in pairs))
    try:
        state = cases.decide(
            case_id,
            person,
            dict.fromkeys(keys, asked.answer),
            desk.now(),
            rule=desk.runtime.second_review,
            snapshots={key: snapshot_of(known[key]) for key in keys if key in known},
            is_lead="lead" in request.roles,
        )
    except InputError:  # also HeldError
        return False
    if asked.note:
        cases.comment(case_id, person, asked.note, desk.now())
    detail = {"group": group_id, "photograph": asked.answer.photograph, "use": asked.answer.use, "state": state}
    for key in keys:
        row = {**detail, "pair": key[:12]}
        desk.archive.ledger.audit.add(person, "case.decide", f"case {case_id}", desk.now(), row)
    remember(request, case_id)
    return True


def _refusal(request: HttpRequest, case_id: int) -> str:
    """Why this person cannot judge a case now, in words; empty if nothing hinders."""
    desk, person = the_desk(), request.user.get_username()
    cases = desk.archive.ledger.cases
    found = cases.get(case_id)
    if found is None:
        return say("not_now_gone")
    if found.holder not in {None, person} and found.held_until is not None and found.held_until > desk.now():
        return say("held")
    refusal = cases.refusal(case_id, person, is_lead="lead" in request.roles)
    return say(f"not_now_{refusal}") if refusal is not None else ""


def _found(group_id: int) -> GroupSummary:
    found = the_desk().archive.ledger.traces.group(group_id)
    if found is None:
        raise Http404
    return found


def _key(pair: GroupPair) -> str:
    return f"{pair.case_id}:{pair.pair_key}"


def _value(answer: Answer) -> str:
    return f"{answer.photograph}:{answer.use or ''}"


def _pair_lines(pairs: Sequence[GroupPair], refusals: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    others = named(pair.other_row for pair in pairs)
    return [
        {
            "pair": pair,
            "key": _key(pair),
            "name": visible(pair.document),
            "merchant": visible(pair.merchant_id or "-"),
            "other": others.get(pair.other_row),
            "state": say(pair.state),
            "finding": finding_name(pair.finding),
            "percent": percent(pair.probability),
            "thumb": photo_address(pair.row_id, pair.photo),
            "other_thumb": photo_address(pair.other_row, pair.other_photo),
            "refusal": (refusals or {}).get(pair.case_id, ""),
        }
        for pair in pairs
    ]


def _tile(photo: GroupPhoto, *, is_first: bool) -> dict[str, Any]:
    return {
        "photo": photo,
        "name": visible(photo.document),
        "merchant": visible(photo.merchant_id or "-"),
        "thumb": photo_address(photo.row_id, photo.photo),
        "what": photo_name(photo.photo),
        "is_first": is_first,
    }


def _timeline(photos: Sequence[GroupPhoto]) -> dict[str, Any]:
    """A row for each merchant with a mark for each of its documents, from the first date to the last."""
    if not photos:
        return {}
    first, last = photos[0].document_date, photos[-1].document_date
    days = max(1, (last - first).days)
    names = list(dict.fromkeys(photo.merchant_id for photo in photos))
    lanes = {name: min(at, _LANES - 1) for at, name in enumerate(names)}
    labels = [visible(name or "-") for name in names[:_LANES]]
    if len(names) > _LANES:
        labels[-1] = say("other_merchants", n=len(names) - _LANES + 1)

    def across(day: date) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (day - first).days / days, 1)

    marks = {(photo.row_id, photo.document_date, photo.merchant_id): photo for photo in photos}.values()
    return {
        "width": _WIDTH,
        "height": _LANE * (len(labels) + 1) + 4,
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "lanes": [
            {"y": _LANE * at + _LANE // 2, "text_y": _LANE * at + _LANE // 2 + 5, "label": label[:_LONGEST_LABEL]}
            for at, label in enumerate(labels)
        ],
        "marks": [
            {
                "x": across(photo.document_date),
                "y": _LANE * lanes[photo.merchant_id] + _LANE // 2,
                "is_first": at == 0,
                "says": f"{photo.document_date} {visible(photo.document)} ({visible(photo.merchant_id or '-')})",
            }
            for at, photo in enumerate(marks)
        ],
        "first": first,
        "last": last,
        "dates_y": _LANE * len(labels) + _LANE // 2 + 6,
    }


def _place(photo: GroupPhoto) -> str:
    return f"{photo.document_date},{photo.row_id},{photo.photo}"


def _after(request: HttpRequest) -> tuple[date, int, int] | None:
    """Date, number and photo of the last one seen; None for the first page, or if that is none."""
    day, _, rest = request.GET.get("after", "").partition(",")
    row, _, photo = rest.partition(",")
    numbers = number_of(row), number_of(photo.removeprefix("-"))
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return None
    if numbers[0] is None or numbers[1] is None:
        return None
    return found, numbers[0], -numbers[1] if photo.startswith("-") else numbers[1]
