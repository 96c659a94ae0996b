"""A case: two photos beside each other, what is known of both documents, and the verdict."""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.cases import Case, CasePair, HeldError
from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import Answer, Verdict, final_answer
from doc_assets.errors import InputError
from doc_assets.reports.wording import reasons, said_of
from doc_assets.util.visible import visible
from doc_assets.web.desk import the_desk
from doc_assets.web.queue import filter_of, photo_address, priority_parts
from doc_assets.web.wording import date_source_name, finding_name, in_language, say

USES = ("renewal", "same_building", "test_document", "own_copy", "other")
_LONGEST_COMMENT = 2000
_GROUP_SHOWN = 60
_NEARLY = 0.99


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of what is known of both documents; a difference is marked where it says something."""

    name: str
    own: str
    other: str
    differs: bool


@require_GET
def case(request: HttpRequest, case_id: int) -> HttpResponse:
    """A case, kept for whoever may judge it as long as the lease."""
    desk = the_desk()
    ledger = desk.archive.ledger
    person, judges = request.user.get_username(), {"reviewer", "lead"} & request.roles
    found = ledger.cases.get(case_id)
    if found is None:
        raise Http404
    is_mine = (
        bool(judges) and found.state not in {"gone"} and ledger.cases.take(person, case_id, desk.now(), desk.lease)
    )
    found = ledger.cases.get(case_id) or found
    pairs = ledger.cases.pairs([case_id]).get(case_id, [])
    at = min(_number(request.GET.get("pair")), max(0, len(pairs) - 1))
    documents = {each.id: each for each in ledger.documents.with_row_ids({found.row_id, *_rows_of(pairs)})}
    said = ledger.cases.verdicts({pair.pair_key for pair in pairs})
    is_blind = found.state == "second" and "lead" not in request.roles
    result = _result(found)
    ledger.audit.add(person, "case.see", f"case {case_id}", desk.now())
    answers = {} if is_blind else final_answer(said)
    _, asked = filter_of(request)
    return render(
        request,
        "desk/case.html",
        {
            "case": found,
            "document": visible(found.document),
            "state": say(found.state),
            "is_mine": is_mine,
            "may_judge": is_mine and found.state != "decided",
            "is_held": bool(judges) and not is_mine and found.holder is not None,
            "held": say("held_by", person=found.holder, until=f"{found.held_until:%H:%M}") if found.held_until else "",
            "pairs": [_pair_line(pair, answers.get(pair.pair_key), documents) for pair in pairs],
            "at": at,
            "position": say("position", at=at + 1, of=len(pairs)) if pairs else "",
            "keys": [pair.pair_key for pair in pairs],
            "viewer": [_viewed(found, pair, documents) for pair in pairs],
            "strip": _strip(found, documents[found.row_id], result),
            "facts": _facts(documents[found.row_id], documents.get(pairs[at].other_row or -1)) if pairs else [],
            "reasons": [in_language(each.text) for each in reasons(result) if each.counts] if result else [],
            "changes": _changes(pairs[at]) if pairs else [],
            "parts": priority_parts(found),
            "group": _group(found, pairs[at]) if pairs else None,
            "verdicts": [] if is_blind else _history(said),
            "is_blind": is_blind and bool(said),
            "comments": [] if is_blind else ledger.cases.comments(case_id),
            "uses": [(use, say(use)) for use in USES],
            "query": urlencode(asked),
            "can_undo": any(each.person == person and each.case_id == case_id for each in said),
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
    pairs = {pair.pair_key: pair for pair in cases.pairs([case_id]).get(case_id, [])}
    asked_key = request.POST.get("pair", "")
    keys = list(pairs) if request.POST.get("all") else [asked_key]
    try:
        state = cases.decide(
            case_id,
            person,
            dict.fromkeys(keys, answer),
            desk.now(),
            rule=desk.runtime.second_review,
            snapshots={key: _snapshot(pairs[key]) for key in keys if key in pairs},
            is_lead="lead" in request.roles,
        )
    except HeldError as error:
        messages.error(request, str(error))
        return redirect(_address(case_id, asked))
    except InputError:
        messages.warning(request, say("changed_reload"))
        return redirect(_address(case_id, asked))
    note = request.POST.get("comment", "").strip()[:_LONGEST_COMMENT]
    if note:
        cases.comment(case_id, person, note, desk.now())
    detail = {"pairs": len(keys), "photograph": answer.photograph, "use": answer.use, "state": state}
    desk.archive.ledger.audit.add(person, "case.decide", f"case {case_id}", desk.now(), detail)
    request.session["last_case"] = case_id
    left = [at for at, key in enumerate(pairs) if key not in final_answer(cases.verdicts(list(pairs)))]
    if state == "open" and left:
        return redirect(_address(case_id, asked, pair=left[0]))
    return _on_to_next(request, asked)


def _on_to_next(request: HttpRequest, asked: dict[str, str]) -> HttpResponse:
    """The most urgent case that is free; the queue if there is none."""
    desk, (wanted, _) = the_desk(), filter_of(request)
    taken = desk.archive.ledger.cases.take_next(request.user.get_username(), wanted, desk.now(), desk.lease)
    if taken is None:
        messages.info(request, say("all_done"))
        return redirect(f"{reverse('queue')}?{urlencode(asked)}")
    return redirect(_address(taken, asked))


@require_POST
def undo(request: HttpRequest, case_id: int) -> HttpResponse:
    """Takes back the last word of this person: on this case, else on the one before it."""
    desk = the_desk()
    cases, person, rule = desk.archive.ledger.cases, request.user.get_username(), desk.runtime.second_review
    _, asked = filter_of(request)
    for number in dict.fromkeys((case_id, request.session.get("last_case", case_id))):
        try:
            n = cases.withdraw(number, person, desk.now(), rule=rule)
        except InputError:
            continue
        if n:
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
    desk, note = the_desk(), request.POST.get("comment", "").strip()[:_LONGEST_COMMENT]
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
    desk = the_desk()
    cases, person = desk.archive.ledger.cases, request.user.get_username()
    wanted, asked = filter_of(request)
    found = cases.get(case_id)
    if found is None:
        raise Http404
    taken = cases.take_next(person, wanted, desk.now(), desk.lease, (found.rank, found.case_id))
    cases.release(person, case_id)
    if taken is None:
        messages.info(request, say("all_done"))
        return redirect(f"{reverse('queue')}?{urlencode(asked)}")
    return redirect(_address(taken, asked))


def _require_known(answer: Answer) -> None:
    """Raises ValueError for what is none of the answers."""
    if answer.photograph not in {"same", "other_shot", "shared_thing", "different", "cannot_tell"}:
        raise ValueError(f"photograph={answer.photograph!r} is no answer")
    if answer.use not in {None, "fraud", *USES}:
        raise ValueError(f"use={answer.use!r} is no answer")


def _address(case_id: int, asked: dict[str, str], **more: int) -> str:
    query = urlencode({**asked, **more})
    return f"{reverse('case', args=[case_id])}{'?' if query else ''}{query}"


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 6 else 0  # noqa: PLR2004 - no case has more


def _rows_of(pairs: list[CasePair]) -> set[int]:
    return {pair.other_row for pair in pairs if pair.other_row is not None}


def _result(found: Case) -> ResultRecord | None:
    search_id = search_id_of(found.drop_key)
    results = the_desk().archive.ledger.searches.of_documents([search_id], [found.document_id])
    return next(iter(results.get(search_id, [])), None)


def _snapshot(pair: CasePair) -> dict[str, Any]:
    """What the verdict was about, so that it can be judged after a refit."""
    facts = pair.pair
    return {
        "finding": pair.finding,
        "probability": pair.probability,
        "similarity": facts.similarity if facts else None,
        "inliers": facts.inliers if facts else None,
        "agreement": facts.overlap.agreement if facts and facts.overlap else None,
        "transform": facts.transform if facts else None,
        "mirrored": facts.mirrored if facts else None,
        "embedder": the_desk().runtime.embedder_spec().name,
    }


def _pair_line(pair: CasePair, answer: Answer | None, documents: dict[int, Document]) -> dict[str, Any]:
    other = documents.get(pair.other_row or -1)
    said = None if answer is None else say("allowed" if answer.use not in {None, "fraud"} else _word_of(answer))
    return {
        "key": pair.pair_key,
        "thumb": photo_address(pair.other_row, pair.other_photo),
        "document": visible(other.file_name) if other else say("gone_photo"),
        "finding": finding_name(pair.finding),
        "percent": percent(pair.probability),
        "said": said,
    }


def percent(probability: float) -> str:
    """In whole per cent, never rounded to certainty: 100% is an identical file alone."""
    if probability >= 1:
        return "100%"
    return ">99%" if probability > _NEARLY else f"{probability:.0%}"


def _word_of(answer: Answer) -> str:
    return "fraud" if answer.is_fraud else answer.photograph


def _viewed(found: Case, pair: CasePair, documents: dict[int, Document]) -> dict[str, Any]:
    """What the viewer needs of a pair."""
    facts = pair.pair
    own_pages, other_pages = _page_of(found.row_id, facts, own=True), _page_of(pair.other_row, facts, own=False)
    return {
        "own": photo_address(found.row_id, pair.photo, 1024),
        "other": photo_address(pair.other_row, pair.other_photo, 1024) if pair.other_row in documents else None,
        "ownPage": own_pages,
        "otherPage": other_pages,
        "transform": facts.transform if facts else (None if pair.photo >= 0 else [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        "mirrored": facts.mirrored if facts else False,
        "quarterTurns": facts.quarter_turns if facts else 0,
        "lines": facts.lines if facts else None,
    }


def _page_of(row_id: int | None, facts: Any, *, own: bool) -> str | None:  # noqa: ANN401 - a pair or none
    if row_id is None or facts is None:
        return None
    return str(reverse("page", args=[row_id, facts.query_page if own else facts.page]))


def _strip(found: Case, document: Document, result: ResultRecord | None) -> list[dict[str, Any]]:
    """The photos of the case's document, each with what holds of it."""
    kinds = {each.photo: each for each in result.findings} if result else {}
    strip = []
    for photo in range(document.n_photos or 0):
        finding = kinds.get(photo)
        strip.append(
            {
                "number": photo + 1,
                "thumb": photo_address(found.row_id, photo),
                "finding": finding_name(finding.kind) if finding else "",
                "counts": bool(finding and finding.counts),
            }
        )
    return strip


def _facts(own: Document, other: Document | None) -> list[Fact]:
    def known(document: Document | None) -> dict[str, str]:
        if document is None:
            return {}
        return {
            say("document"): visible(document.file_name),
            say("merchant"): visible(document.merchant_id or "-"),
            say("date"): f"{document.document_date} ({date_source_name(document.date_source)})",
            say("drop"): document.drop_key,
            **{visible(name): visible(value) for name, value in document.fields.items()},
        }

    left, right = known(own), known(other)
    always_differ = {say("document"), say("date"), say("drop")}

    def fact(name: str) -> Fact:
        one, two = left.get(name, "-"), right.get(name, "-")
        return Fact(name, one, two, name not in always_differ and one != two and "-" not in {one, two})

    return [fact(name) for name in dict.fromkeys((*left, *right))]


def _changes(pair: CasePair) -> list[str]:
    return [in_language(text) for text in said_of(pair.pair)] if pair.pair else [say("same_file")]


def _group(found: Case, pair: CasePair) -> dict[str, Any] | None:
    """All documents that show the pair's photograph."""
    groups = the_desk().archive.ledger.groups
    number = groups.of_rows([found.row_id]).get((found.row_id, pair.photo))
    if number is None:
        return None
    members = groups.members([number])
    documents = {member.document: member for member in members}
    merchants = {member.merchant_id for member in members if member.merchant_id is not None}
    return {
        "says": say("in_all", documents=len(documents), merchants=len(merchants)),
        "members": [
            {**asdict(member), "document": visible(name), "is_own": member.document == found.document}
            for name, member in list(documents.items())[:_GROUP_SHOWN]
        ],
    }


def _history(said: list[Verdict]) -> list[dict[str, Any]]:
    """What was said, the newest first; what was undone is marked."""
    undone = {each.withdraws for each in said}
    return [
        {
            "person": each.person,
            "at": each.at,
            "stage": say(f"stage_{each.stage}"),
            "answer": say(_word_of(each.answer)) if each.answer.use in {None, "fraud"} else say(str(each.answer.use)),
            "is_undone": each.verdict_id in undone,
        }
        for each in reversed(said)
        if each.answer is not None
    ]
