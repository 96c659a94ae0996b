"""The case package: one zip file with everything of a case, for whoever must prove it elsewhere."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET
from upath import UPath

from doc_assets.archive.ledger.cases import CasePair
from doc_assets.archive.ledger.json_codec import as_json
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.verdicts import Verdict
from doc_assets.archive.photo_lookup import PageView
from doc_assets.datatypes import RgbImage
from doc_assets.errors import PackageError, UnreadableDocumentError
from doc_assets.photos.cutting import encode_jpeg
from doc_assets.reading.formats import HEAD_BYTES, kind_of
from doc_assets.reports.case_package import Content, Packed, write_package
from doc_assets.reports.pair_picture import PairPictures, draw_pair
from doc_assets.reports.result_files import without
from doc_assets.sources.staging import staged_path
from doc_assets.util.visible import visible, visible_json
from doc_assets.web.access import UNREDACTED
from doc_assets.web.case_file import CaseFile, case_file, provenance
from doc_assets.web.desk import the_desk
from doc_assets.web.downloads import Download, spooled
from doc_assets.web.pictures import QUALITY
from doc_assets.web.printing import said_of_case, said_of_pair
from doc_assets.web.wording import say, words

_STYLE = Path(__file__).parent / "static" / "desk" / "paper.css"
_ENDINGS = {"TIFF": "tif", "JPEG": "jpg", "PNG": "png", "WebP": "webp", "BMP": "bmp", "PDF": "pdf"}


@dataclass(slots=True)
class _Package:
    """What is gathered for a package.

    Attributes:
        redacted: whether faces are pixelated and the documents left out.
        members: content by name.
        absent: what could not be had, in words without names.
    """

    redacted: bool
    members: dict[str, Content] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def add_picture(self, name: str, pixels: RgbImage) -> str:
        """Adds a picture as it may leave; returns its name."""
        self.members[name] = encode_jpeg(self.shown(pixels), QUALITY)
        return name

    def shown(self, pixels: RgbImage) -> RgbImage:
        """A picture as it may leave."""
        return the_desk().redactor.redacted(pixels) if self.redacted else pixels


@require_GET
def package(request: HttpRequest, case_id: int) -> HttpResponse:
    """A case as a zip file; with ``originals`` with the documents and with faces, for those who may have them."""
    desk, person = the_desk(), request.user.get_username()
    redacted = request.GET.get("originals") != "1"
    if not redacted and not UNREDACTED & set(request.roles):
        raise PermissionDenied
    case = case_file(request, case_id)
    made = _gathered(request, case, redacted=redacted)
    try:
        with spooled() as target:
            packed = write_package(target, made.members, _about(case, made, person))
            desk.archive.ledger.audit.add(person, "case.package", f"case {case_id}", desk.now(), _counted(made, packed))
            return Download(target, f"case-{case_id}.zip", "application/zip")
    except PackageError:
        messages.error(request, say("package_too_large"))
        return redirect(reverse("case", args=[case_id]))


def _gathered(request: HttpRequest, case: CaseFile, *, redacted: bool) -> _Package:
    """Everything that goes into a package but its manifest."""
    made = _Package(redacted)
    pairs = []
    for number, pair in enumerate(case.pairs, start=1):
        pairs.append({**said_of_pair(case, pair), **_pictures(made, case, pair, number)})
    documents = [case.document, *(each for row, each in sorted(case.others.items()) if row != case.case.row_id)]
    if not redacted:
        for number, document in enumerate(documents):
            _add_document(made, document, number)
    left_out = the_desk().runtime.settings.remove_columns_from_results
    made.members["case.json"] = _json(_facts(case, documents, left_out))
    if case.result is not None:
        made.members["result.json"] = _json(without(as_json(case.result), left_out))
    context = {
        **said_of_case(case, request.user.get_username()),
        **words(request),
        "pairs": pairs,
        "redacted": redacted,
        "absent": made.absent,
        "files": sorted(name for name in made.members if name.startswith("documents/")),
        "is_package": True,
        "style": "style.css",
    }
    made.members["index.html"] = render_to_string("desk/paper.html", context).encode()
    made.members["style.css"] = _STYLE.read_bytes()
    return made


def _pictures(made: _Package, case: CaseFile, pair: CasePair, number: int) -> dict[str, str | None]:
    """Adds the pictures of a pair; returns their names, None for what is no longer there."""
    own, other = case.document, case.other(pair)
    pixels = _pixels(own, pair.photo), _pixels(other, pair.other_photo)
    names: dict[str, str | None] = {"own": None, "other": None, "evidence": None}
    for side, shown in zip(("own", "other"), pixels, strict=True):
        if shown is None:
            made.absent.append(say("package_no_picture", n=number))
        else:
            names[side] = made.add_picture(f"pairs/{number}/{side}.jpg", shown)
    if pair.pair is not None and other is not None and pixels[0] is not None and pixels[1] is not None:
        pages = _page(made, own, pair.pair.query_page), _page(made, other, pair.pair.page)
        pictures = PairPictures(made.shown(pixels[0]), made.shown(pixels[1]), *pages)
        drawn = draw_pair(pictures, pair.pair, (visible(own.file_name), visible(other.file_name)))
        names["evidence"] = name = f"pairs/{number}/evidence.jpg"
        made.members[name] = encode_jpeg(drawn, QUALITY)
    return names


def _pixels(document: Document | None, photo: int) -> RgbImage | None:
    """A photo, or the first page of a file as a whole; None if it is no longer there."""
    if document is None or not document.is_current:
        return None
    if photo >= 0:
        return the_desk().pictures.photo(document.file_name, photo)
    page = _page_of(document, 1)
    return page.pixels if page is not None else None


def _page_of(document: Document, number: int) -> PageView | None:
    """A page; None if the copy of the document is no longer there."""
    if _copy_of(document) is None:
        return None
    with the_desk().drawing:
        return the_desk().pictures.page(document.file_name, number - 1)


def _page(made: _Package, document: Document, number: int) -> PageView | None:
    found = _page_of(document, number) if document.is_current else None
    return replace(found, pixels=made.shown(found.pixels)) if found is not None else None


def _add_document(made: _Package, document: Document, number: int) -> None:
    """Adds the document itself, as it came; its name is in ``case.json``."""
    path = _copy_of(document)
    if path is None:
        made.absent.append(say("package_no_document", n=number + 1))
        return
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    try:
        ending = _ENDINGS[kind_of(head)]
    except UnreadableDocumentError:
        ending = "bin"
    made.members[f"documents/{number + 1}.{ending}"] = path


def _copy_of(document: Document) -> UPath | None:
    """Where the document itself is kept; None if it no longer is."""
    path = staged_path(the_desk().archive.bulk, document.sha256) if document.sha256 else None
    return path if path is not None and path.exists() else None


def _facts(case: CaseFile, documents: list[Document], left_out: Collection[str]) -> dict[str, Any]:
    """A case for programs; documents are numbered as the files below ``documents/`` are."""
    numbers = {document.id: number for number, document in enumerate(documents, start=1)}
    facts: dict[str, Any] = {
        "case": case.case.case_id,
        "state": case.case.state,
        "opened_at": case.case.opened_at.astimezone(UTC).isoformat(),
        "documents": [_document(document, numbers[document.id]) for document in documents],
        "pairs": [
            {
                "pair": number,
                "photo": pair.photo,
                "other_document": numbers.get(pair.other_row or -1),
                "other_photo": pair.other_photo,
                "finding": pair.finding,
                "probability": pair.probability,
                "pair_key": pair.pair_key,
                "compared": as_json(pair.pair) if pair.pair is not None else None,
            }
            for number, pair in enumerate(case.pairs, start=1)
        ],
        "verdicts_hidden": case.is_blind,
        "verdicts": [_verdict(each) for each in case.said],
        "comments": [as_json(each) for each in case.comments],
    }
    return dict(without(facts, left_out))


def _document(document: Document, number: int) -> dict[str, Any]:
    return {
        "document": number,
        "file_name": document.file_name,
        "merchant_id": document.merchant_id,
        "document_date": document.document_date.isoformat(),
        "date_source": document.date_source,
        "drop": document.drop_key,
        "sha256": document.sha256,
        "size_bytes": document.size_bytes,
        "state": document.state,
        "fields": document.fields,
    }


def _verdict(each: Verdict) -> dict[str, Any]:
    return {
        "verdict": each.verdict_id,
        "pair_key": each.pair_key,
        "stage": each.stage,
        "person": each.person,
        "at": each.at.astimezone(UTC).isoformat(),
        "photograph": each.answer.photograph if each.answer else None,
        "use": each.answer.use if each.answer else None,
        "withdraws": each.withdraws,
        "snapshot": each.snapshot,
    }


def _about(case: CaseFile, made: _Package, person: str) -> dict[str, Any]:
    """What the manifest says beside its list; numbers, no names of documents."""
    return {
        "case": case.case.case_id,
        "redacted": made.redacted,
        "exported_by": person,
        "exported_at": the_desk().now().astimezone(UTC).isoformat(timespec="seconds"),
        **provenance(case),
        "documents": {
            str(each.id): {"sha256": each.sha256, "size_bytes": each.size_bytes, "state": each.state}
            for each in (case.document, *case.others.values())
        },
        "verdicts_hidden": case.is_blind,
        "columns_left_out": sorted(the_desk().runtime.settings.remove_columns_from_results),
        "absent": made.absent,
    }


def _counted(made: _Package, packed: Packed) -> dict[str, Any]:
    kinds = Counter(name.partition("/")[0] for name in made.members if "/" in name)
    return {
        "members": packed.members,
        "bytes": packed.size_bytes,
        "documents": kinds["documents"],
        "pictures": kinds["pairs"],
        "redacted": made.redacted,
        "manifest": packed.manifest_sha256,
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return visible_json(json.dumps(content, ensure_ascii=False, indent=1)).encode()
