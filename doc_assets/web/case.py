"""A case: two photos beside each other, what is known of both documents, and the verdict."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.cases import Case, CasePair, HeldError, Refusal
from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import STAGE_OF, Answer, Use, Verdict, final_answer, in_force
from doc_assets.errors import InputError
from doc_assets.reports.wording import reasons, said_of
from doc_assets.util.visible import visible
from doc_assets.web.access import JUDGES
from doc_assets.web.desk import the_desk
from doc_assets.web.faces import leaving, with_faces
from doc_assets.web.pairs import facts_of, known_of, percent, viewed_pair
from doc_assets.web.queue import filter_of, holder_of, photo_address, priority_parts, shown_or_done, with_query
from doc_assets.web.wording import finding_name, in_language, say

USES: tuple[Use, ...] = ("renewal", "same_building", "test_document", "own_copy", "other")
_LONGEST_COMMENT = 2000
_GROUP_SHOWN = 60
_HISTORY = "judged"
"""In a session: the cases that its person judged, the last one at the end, for undoing."""
_UNDONE_AT_MOST = 50
_NOTE = "kept_note"
"""In a session, until the case is shown again: its number, and the note that came with a verdict that was not filed."""


@require_GET
def case(request: HttpRequest, case_id: int) -> HttpResponse:
    """A case, kept for whoever may judge it as long as the lease."""
    desk = the_desk()
    ledger = desk.archive.ledger
    person = request.user.get_username()
    found, refusal = _found(case_id), _refusal(request, case_id)
    is_mine = refusal is None and ledger.cases.take(person, case_id, desk.now(), desk.lease)
    found = ledger.cases.get(case_id) or found
    if refusal is None and not is_mine:
        refusal = "held"
    pairs = ledger.cases.pairs([case_id]).get(case_id, [])
    documents = {each.id: each for each in ledger.documents.with_row_ids({found.row_id, *_rows_of(pairs)})}
    said = ledger.cases.verdicts({pair.pair_key for pair in pairs})
    is_blind = found.state == "second" and is_mine
    result = _result(found)
    ledger.audit.add(person, "case.see", f"case {case_id}", desk.now())
    answers = {} if is_blind else final_answer(said)
    at = _place(request.GET.get("pair"), [pair.pair_key for pair in pairs], answers)
    wanted, asked = filter_of(request)
    return render(
        request,
        "desk/case.html",
        {
            "case": found,
            "document": visible(found.document),
            "state": say(found.state),
            "may_judge": is_mine,
            "hold_every_s": max(1, int(desk.lease.total_seconds() / 3)),
            "why_not": _why_not(found, refusal),
            "pairs": [pair_line(pair, answers.get(pair.pair_key)) for pair in pairs],
            "at": at,
            "position": say("position", at=at + 1, of=len(pairs)) if pairs else "",
            "keys": [pair.pair_key for pair in pairs],
            "viewer": [with_faces(request, case_id, viewed_pair(found.row_id, pair, documents)) for pair in pairs],
            "strip": [
                with_faces(request, case_id, photo) for photo in _strip(found, documents[found.row_id], result, pairs)
            ],
            **leaving(request, case_id),
            "facts": facts_of(known_of(documents[found.row_id]), known_of(documents.get(pairs[at].other_row or -1)))
            if pairs
            else [],
            "reasons": [in_language(each.text) for each in reasons(result) if each.counts] if result else [],
            "changes": changes_said(pairs[at]) if pairs else [],
            "parts": priority_parts(found),
            "group": _group(found, pairs[at]) if pairs else None,
            "verdicts": [] if is_blind else verdict_lines(said),
            "is_blind": is_blind and bool(said),
            "comments": [] if is_blind else [(each, visible(each.text)) for each in ledger.cases.comments(case_id)],
            "uses": [(use, say(use)) for use in USES],
            "query": urlencode(asked),
            "other_row": pairs[at].other_row if pairs else None,
            "kept_note": _kept_note(request, case_id),
            "for_all": bool(pairs) and pairs[at].photo < 0 and not answers,
            "ahead": _ahead(found, wanted, person) if is_mine else [],
        },
    )


@require_POST
def verdict(request: HttpRequest, case_id: int) -> HttpResponse:
    """Files what a person says of a pair, or of all pairs, and goes on to what comes next."""
    desk = the_desk()
    cases, person = desk.archive.ledger.cases, request.user.get_username()
    _, asked = filter_of(request)
    try:
        answer = Answer(request.POST.get("photograph", ""), request.POST.get("use") or None)
        _require_known(answer)
    except ValueError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    note = note_of(request)
    if answer.use == "other" and not note:
        messages.warning(request, say("note_wanted"))
        return redirect(_address(case_id, asked))
    found = _found(case_id)
    pairs = {pair.pair_key: pair for pair in cases.pairs([case_id]).get(case_id, [])}
    keys = list(pairs) if request.POST.get("all") else [request.POST.get("pair", "")]
    try:
        state = cases.decide(
            case_id,
            person,
            dict.fromkeys(keys, answer),
            desk.now(),
            rule=desk.runtime.second_review,
            snapshots={key: snapshot_of(pairs[key]) for key in keys if key in pairs},
            is_lead="lead" in request.roles,
        )
    except HeldError as error:
        messages.error(request, _why_not(cases.get(case_id) or found, error.why))
        _keep_note(request, case_id, note)
        return redirect(_address(case_id, asked))
    except InputError:
        messages.warning(request, say("changed_reload"))
        _keep_note(request, case_id, note)
        return redirect(_address(case_id, asked))
    if note:
        cases.comment(case_id, person, note, desk.now())
    detail = {"pairs": len(keys), "photograph": answer.photograph, "use": answer.use, "state": state}
    desk.archive.ledger.audit.add(person, "case.decide", f"case {case_id}", desk.now(), detail)
    remember(request, case_id)
    waits = f" → {say(state)}" if state in {"second", "disputed"} else ""
    messages.success(request, f"{visible(found.document)}: {said_in_words(answer)}{waits}")
    stage = STAGE_OF.get(found.state)
    done = {each.pair_key for each in in_force(cases.verdicts(list(pairs))) if each.stage == stage}
    left = [at for at, key in enumerate(pairs) if key not in done]
    if state == found.state and left:
        return redirect(_address(case_id, asked, pair=left[0]))
    return _on_from(request, found)


def remember(request: HttpRequest, case_id: int) -> None:
    """Notes that this person judged a case, so that it can be undone from the next one."""
    request.session[_HISTORY] = [*request.session.get(_HISTORY, []), case_id][-_UNDONE_AT_MOST:]


def _on_from(request: HttpRequest, found: Case) -> HttpResponse:
    """The free case after this one, else the first of those that were passed over; the queue if there is none."""
    desk, (wanted, asked) = the_desk(), filter_of(request)
    person, now, cases = request.user.get_username(), desk.now(), desk.archive.ledger.cases
    taken = cases.take_next(person, wanted, now, desk.lease, found.place(wanted.order))
    if taken is None:
        taken = cases.take_next(person, wanted, now, desk.lease)
    if taken is None or taken == found.case_id:
        cases.release(person, found.case_id)
        taken = None
    return shown_or_done(request, taken, asked)


@require_POST
def undo(request: HttpRequest, case_id: int) -> HttpResponse:
    """Takes back the last word of this person: on this case, else on those before it, one at a time."""
    desk = the_desk()
    cases, person, rule = desk.archive.ledger.cases, request.user.get_username(), desk.runtime.second_review
    _, asked = filter_of(request)
    history: list[int] = request.session.get(_HISTORY, [])
    for number in dict.fromkeys((case_id, *reversed(history))):
        try:
            n = cases.withdraw(number, person, desk.now(), rule=rule)
        except InputError:
            continue
        if n:
            request.session[_HISTORY] = [each for each in history if each != number]
            desk.archive.ledger.audit.add(person, "case.undo", f"case {number}", desk.now(), {"pairs": n})
            messages.info(request, say("undone_n", n=n))
            if number != case_id:
                cases.release(person, case_id)
            return redirect(_address(number, asked))
    messages.warning(request, say("nothing_to_undo"))
    return redirect(_address(case_id, asked))


@require_POST
def comment(request: HttpRequest, case_id: int) -> HttpResponse:
    """Adds a note."""
    desk, note = the_desk(), note_of(request)
    _, asked = filter_of(request)
    if note:
        try:
            desk.archive.ledger.cases.comment(case_id, request.user.get_username(), note, desk.now())
        except InputError as error:
            raise Http404 from error
        desk.archive.ledger.audit.add(request.user.get_username(), "case.comment", f"case {case_id}", desk.now())
    return redirect(_address(case_id, asked))


@require_POST
def release(request: HttpRequest, case_id: int) -> HttpResponse:
    """Gives a case back and takes the one after it."""
    found = _found(case_id)
    response = _on_from(request, found)
    the_desk().archive.ledger.cases.release(request.user.get_username(), case_id)
    return response


@require_POST
def hold(request: HttpRequest, case_id: int) -> HttpResponse:
    """Renews the lease of somebody who is at work on a case; 409 if it is another one's by now."""
    desk, person = the_desk(), request.user.get_username()
    _found(case_id)
    is_free = _refusal(request, case_id) is None
    is_kept = is_free and desk.archive.ledger.cases.take(person, case_id, desk.now(), desk.lease)
    return HttpResponse(status=204 if is_kept else 409)


def _found(case_id: int) -> Case:
    found = the_desk().archive.ledger.cases.get(case_id)
    if found is None:
        raise Http404
    return found


def _refusal(request: HttpRequest, case_id: int) -> Refusal | Literal["role"] | None:
    if not JUDGES & request.roles:
        return "role"
    cases = the_desk().archive.ledger.cases
    return cases.refusal(case_id, request.user.get_username(), is_lead="lead" in request.roles)


def _why_not(found: Case, refusal: Refusal | Literal["role"] | None) -> str:
    """Why this person cannot judge the case now, in words; nothing to those who never judge."""
    if refusal in {None, "role"}:
        return ""
    if refusal != "held":
        return say(f"not_now_{refusal}")
    until = timezone.localtime(found.held_until) if found.held_until else the_desk().now()
    return say("held_by", person=found.holder or "-", until=f"{until:%H:%M}")


def _place(asked: str | None, keys: list[str], answers: dict[str, Answer]) -> int:
    """Which pair is shown: the one asked for, else the first without an answer."""
    if asked is not None:
        return min(_number(asked), max(0, len(keys) - 1))
    return next((at for at, key in enumerate(keys) if key not in answers), 0)


def note_of(request: HttpRequest) -> str:
    """The note of a form, without what no note needs."""
    return str(request.POST.get("comment", "")).replace("\0", "").strip()[:_LONGEST_COMMENT]


def _keep_note(request: HttpRequest, case_id: int, note: str) -> None:
    """Gives a note back to its form: the verdict that it came with was not filed."""
    if note:
        request.session[_NOTE] = [case_id, note]


def _kept_note(request: HttpRequest, case_id: int) -> str:
    """The note that was given back; it is in the form from now on, and nowhere else."""
    number, note = request.session.pop(_NOTE, (None, ""))
    return str(note) if number == case_id else ""


def _ahead(found: Case, wanted: CaseFilter, person: str) -> list[str]:
    """Pictures of the case that comes next, as far as that can be known."""
    cases = the_desk().archive.ledger.cases
    following = [*cases.page(wanted, 2, found.place(wanted.order)), *cases.page(wanted, 2)]
    free = [each for each in following if each.case_id != found.case_id and holder_of(each) in {None, person}]
    pairs = cases.pairs([each.case_id for each in free[:1]])
    first = [(each, pair) for each in free[:1] for pair in pairs.get(each.case_id, [])[:1]]
    addresses = [
        address
        for each, pair in first
        for address in (
            photo_address(each.row_id, pair.photo, 1024),
            photo_address(pair.other_row, pair.other_photo, 1024),
        )
    ]
    return [address for address in addresses if address is not None]


def _require_known(answer: Answer) -> None:
    """Raises ValueError for what is none of the answers."""
    if answer.photograph not in {"same", "other_shot", "shared_thing", "different", "cannot_tell"}:
        raise ValueError(f"photograph={answer.photograph!r} is no answer")
    if answer.use not in {None, "fraud", *USES}:
        raise ValueError(f"use={answer.use!r} is no answer")


def _address(case_id: int, asked: dict[str, str], **more: int) -> str:
    return with_query(reverse("case", args=[case_id]), {**asked, **more})


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 6 else 0  # noqa: PLR2004 - no case has more


def _rows_of(pairs: list[CasePair]) -> set[int]:
    return {pair.other_row for pair in pairs if pair.other_row is not None}


def _result(found: Case) -> ResultRecord | None:
    search_id = search_id_of(found.drop_key)
    results = the_desk().archive.ledger.searches.of_documents([search_id], [found.document_id])
    return next(iter(results.get(search_id, [])), None)


def snapshot_of(pair: CasePair) -> dict[str, Any]:
    """What the verdict was about, so that it can be judged after a refit."""
    facts = pair.pair
    return {
        "finding": pair.finding,
        "probability": pair.probability,
        "uncalibrated": facts.uncalibrated if facts else None,
        "similarity": facts.similarity if facts else None,
        "inliers": facts.inliers if facts else None,
        "agreement": facts.overlap.agreement if facts and facts.overlap else None,
        "transform": facts.transform if facts else None,
        "mirrored": facts.mirrored if facts else None,
        "embedder": the_desk().runtime.embedder_spec().name,
    }


def pair_line(pair: CasePair, answer: Answer | None) -> dict[str, Any]:
    """A pair in one line, with what was said of it."""
    return {
        "what": say("whole_file") if pair.photo < 0 else say("photo_n", n=pair.photo + 1),
        "finding": finding_name(pair.finding),
        "percent": percent(pair.probability),
        "said": said_in_words(answer) if answer is not None else None,
    }


def said_in_words(answer: Answer) -> str:
    """An answer in words."""
    if answer.use not in {None, "fraud"}:
        return f"{say('allowed')} ({say(str(answer.use))})"
    return say("fraud" if answer.is_fraud else answer.photograph)


def _strip(found: Case, document: Document, result: ResultRecord | None, pairs: list[CasePair]) -> list[dict[str, Any]]:
    """The photos of the case's document, each with what holds of it and the place of its pair."""
    places = {pair.photo: at for at, pair in reversed(list(enumerate(pairs)))}
    kinds = {each.photo: each for each in result.findings} if result else {}
    strip = []
    for photo in range(document.n_photos or 0):
        finding = kinds.get(photo)
        strip.append(
            {
                "number": photo + 1,
                "thumb": photo_address(found.row_id, photo),
                "large": photo_address(found.row_id, photo, 1024),
                "pair": places.get(photo),
                "finding": finding_name(finding.kind) if finding else "",
                "counts": bool(finding and finding.counts),
            }
        )
    return strip


def changes_said(pair: CasePair) -> list[str]:
    """What was done to the other photo to make this one, in words."""
    return [in_language(text) for text in said_of(pair.pair)] if pair.pair else [say("same_file")]


def _group(found: Case, pair: CasePair) -> dict[str, Any] | None:
    """The documents that show the pair's photograph, the earliest first; the group's own page has all of them."""
    ledger = the_desk().archive.ledger
    number = ledger.groups.of_rows([found.row_id]).get((found.row_id, pair.photo))
    group = ledger.traces.group(number) if number is not None else None
    if group is None:
        return None
    shown = {photo.row_id: photo for photo in ledger.traces.group_photos(group.group_id, _GROUP_SHOWN)}
    return {
        "number": group.group_id,
        "says": say("in_all", documents=group.n_documents, merchants=group.n_merchants),
        "members": [
            {**asdict(photo), "document": visible(photo.document), "is_own": row_id == found.row_id}
            for row_id, photo in shown.items()
        ],
    }


def verdict_lines(said: Sequence[Verdict]) -> list[dict[str, Any]]:
    """What was said, the newest first; what was undone is marked."""
    undone = {each.withdraws for each in said}
    return [
        {
            "person": each.person,
            "at": each.at,
            "stage": say(f"stage_{each.stage}"),
            "answer": said_in_words(each.answer),
            "is_undone": each.verdict_id in undone,
        }
        for each in reversed(said)
        if each.answer is not None
    ]
