"""Photos and pages as pictures, faces pixelated; ``faces`` has them as they are."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from doc_assets.archive.ledger.rows import Document
from doc_assets.datatypes import RgbImage
from doc_assets.photos.cutting import encode_jpeg, scaled_down
from doc_assets.web.desk import the_desk

SIDES = (320, 1024)
QUALITY = 85


@require_GET
def photo(_request: HttpRequest, row_id: int, photo: int, side: int) -> HttpResponse:
    """A photo of a document, at most ``side`` pixels long, faces pixelated."""
    return _kept(the_desk().redactor.redacted(photo_pixels(row_id, photo, side)))


@require_GET
def page(_request: HttpRequest, row_id: int, number: int) -> HttpResponse:
    """A page of a document, from 1, faces pixelated."""
    return _kept(the_desk().redactor.redacted(page_pixels(row_id, number)))


def photo_pixels(row_id: int, photo: int, side: int) -> RgbImage:
    """A photo as it is, at most ``side`` pixels long.

    Raises:
        Http404: if there is none, or none of this size.
    """
    if side not in SIDES:
        raise Http404
    found = the_desk().pictures.photo(_document(row_id).file_name, photo)
    if found is None:
        raise Http404
    return scaled_down(found, side)[0]


def page_pixels(row_id: int, number: int) -> RgbImage:
    """A page as it is, at most 700 pixels long.

    Raises:
        Http404: if there is none.
    """
    document = _document(row_id)
    desk = the_desk()
    with desk.drawing:
        found = desk.pictures.page(document.file_name, number - 1)
    if found is None:
        raise Http404
    return found.pixels


def _document(row_id: int) -> Document:
    found = the_desk().archive.ledger.documents.with_row_ids([row_id])
    if not found or not found[0].is_current:
        raise Http404
    return found[0]


def picture(pixels: RgbImage) -> HttpResponse:
    """A picture that the browser does not keep."""
    return HttpResponse(encode_jpeg(pixels, QUALITY), content_type="image/jpeg")


def _kept(pixels: RgbImage) -> HttpResponse:
    """Kept by the browser of whoever may see it; a document's number never gets other pixels."""
    response = picture(pixels)
    response["Cache-Control"] = "private, max-age=3600, immutable"
    return response
