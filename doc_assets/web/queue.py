"""The queue: cases in the order of their urgency."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.case_queue import ORDERS, CaseFilter, Order, Origin, Place
from doc_assets.archive.ledger.cases import Case, CasePair
from doc_assets.archive.ledger.results import COUNTED
from doc_assets.archive.ledger.verdicts import UNDECIDED, CaseState
from doc_assets.pipeline.reviewing import Weights
from doc_assets.util.visible import visible
from doc_assets.web.access import may
from doc_assets.web.desk import the_desk
from doc_assets.web.wording import finding_name, say

_PAGE = 50
MOST_EXPORTED = 10_000
"""Cases in one file of an export."""
_STATES: dict[str, tuple[CaseState, ...]] = {
    "": UNDECIDED,
    "open": ("open",),
    "second": ("second",),
    "disputed": ("disputed",),
    "decided": ("decided",),
}
_TEXTS = ("drop", "merchant", "text", "finding", "since", "until", "business", "origin", "order")
_ORIGINS: dict[Origin, str] = {"same_drop": "same_drop", "archive": "from_archive"}
_ORDER_NAMES: dict[Order, str] = {"priority": "priority", "age": "by_age", "risk": "by_risk"}
_LONGEST = 200
_MOST_DIGITS = 15
_FARTHEST = 2.5e11
"""Of places: above every rank and probability, and below the last second that a date can name."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case as the queue shows it.

    Attributes:
        case: itself.
        state: in words.
        holder: who holds it now.
        document, merchant: as they may be shown.
        photo, other_photo: addresses of the pair's small pictures; None if there is none.
        reason: in one line.
        parts: what makes its priority: name, value.
        priority: their sum.
        n_pairs: that must be judged.
    """

    case: Case
    state: str
    holder: str | None
    document: str
    merchant: str
    photo: str | None
    other_photo: str | None
    reason: str
    parts: list[tuple[str, float]]
    priority: float
    n_pairs: int


@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """A page of the queue."""
    wanted, asked = filter_of(request)
    cases = the_desk().archive.ledger.cases
    found = cases.page(wanted, _PAGE + 1, _after(request))
    shown, more = found[:_PAGE], found[_PAGE:]
    pairs = cases.pairs([case.case_id for case in shown])
    last = {"after": "{!r},{}".format(*shown[-1].place(wanted.order))} if more else {}
    counts = cases.counts()
    return render(
        request,
        "desk/queue.html",
        {
            "rows": [_row(case, pairs.get(case.case_id, [])) for case in shown],
            "asked": asked,
            "states": [(state, say(state or "undecided"), _count(counts, state)) for state in _STATES],
            "findings": [(kind, finding_name(kind)) for kind in COUNTED],
            "more": urlencode({**asked, **last}) if more else "",
            "is_first": not _after(request),
            "next_query": urlencode(asked),
            "origins": [(origin, say(name)) for origin, name in _ORIGINS.items()],
            "orders": [(order, say(name)) for order, name in _ORDER_NAMES.items()],
            "saved": _saved(request),
            "may_export": may(request.roles, "export_csv"),
            "export_most": say("export_most", most=f"{MOST_EXPORTED:,}"),
        },
    )


@require_POST
def next_case(request: HttpRequest) -> HttpResponse:
    """Takes the most urgent case that is free, and shows it."""
    wanted, asked = filter_of(request)
    desk = the_desk()
    person = request.user.get_username()
    case_id = desk.archive.ledger.cases.take_next(person, wanted, desk.now(), desk.lease, _after(request))
    return shown_or_done(request, case_id, asked)


def shown_or_done(request: HttpRequest, case_id: int | None, asked: Mapping[str, str | int]) -> HttpResponse:
    """On to a case that was taken; to the queue, saying so, if there was none left."""
    if case_id is None:
        messages.info(request, say("all_done"))
        return redirect(with_query(reverse("queue"), asked))
    return redirect(with_query(reverse("case", args=[case_id]), asked))


def with_query(address: str, asked: Mapping[str, str | int]) -> str:
    """An address that goes on with what was asked for."""
    return f"{address}?{urlencode(asked)}" if asked else address


def filter_of(request: HttpRequest) -> tuple[CaseFilter, dict[str, str]]:
    """What a request asks for, and the same as it goes on in addresses; what is no filter is left out."""
    given = {name: request.GET.get(name, "").strip()[:_LONGEST] for name in ("state", "mine", *_TEXTS)}
    asked = {name: value for name, value in given.items() if value and "\0" not in value}
    wanted = CaseFilter(
        states=_STATES.get(asked.get("state", ""), UNDECIDED),
        holder=request.user.get_username() if "mine" in asked else None,
        drop_key=asked.get("drop"),
        merchant_id=asked.get("merchant"),
        text=asked.get("text"),
    )
    return replace(
        wanted,
        finding=next((each for each in COUNTED if each == asked.get("finding")), None),
        since=_date(asked.get("since")),
        until=_date(asked.get("until")),
        business=asked.get("business"),
        origin=next((each for each in _ORIGINS if each == asked.get("origin")), None),
        order=next((each for each in ORDERS if each == asked.get("order")), "priority"),
    ), asked


def _date(text: str | None) -> date | None:
    """A date as browsers send it; None for anything else."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _saved(request: HttpRequest) -> list[tuple[int, str, str]]:
    """The person's filters: number, name, and the query as a filter still reads it."""
    kept = the_desk().archive.ledger.saved_filters.of(request.user.get_username())
    return [(each.filter_id, visible(each.name), each.query) for each in kept]


def _after(request: HttpRequest) -> Place | None:
    """Place of the last case seen; None for the first page, or if that is none."""
    rank, _, number = request.GET.get("after", "").partition(",")
    try:
        after = float(rank), int(number[:_MOST_DIGITS])
    except ValueError:
        return None
    return after if math.isfinite(after[0]) and abs(after[0]) < _FARTHEST else None


def _count(counts: dict[CaseState, int], state: str) -> int:
    return sum(counts.get(each, 0) for each in _STATES[state])


def _row(case: Case, pairs: list[CasePair]) -> Row:
    best = pairs[0] if pairs else None
    parts = priority_parts(case)
    kinds = dict.fromkeys(finding_name(pair.finding) for pair in pairs)
    return Row(
        case,
        say(case.state),
        holder_of(case),
        visible(case.document),
        visible(case.merchant_id or "-"),
        photo_address(case.row_id, best.photo) if best else None,
        photo_address(best.other_row, best.other_photo) if best else None,
        ", ".join(kinds),
        parts,
        round(sum(value for _, value in parts), 1),
        len(pairs),
    )


def holder_of(case: Case) -> str | None:
    """Who holds a case now; None if nobody does, or no longer."""
    return case.holder if case.held_until is not None and case.held_until > the_desk().now() else None


def priority_parts(case: Case) -> list[tuple[str, float]]:
    """What makes a case's priority now, by name."""
    age = (the_desk().now().date() - case.opened_at.date()).days * Weights().age_per_day
    parts = {**case.parts, **({"age": age} if age else {})}
    return [(say(f"part_{name}"), round(value, 1)) for name, value in parts.items()]


def photo_address(row_id: int | None, photo: int, side: int = 320) -> str | None:
    """Where a photo's picture is; of a file as a whole, that of its first page. None if there is no document."""
    if row_id is None:
        return None
    if photo < 0:
        return str(reverse("page", args=[row_id, 1]))
    return str(reverse("photo", args=[row_id, photo, side]))
