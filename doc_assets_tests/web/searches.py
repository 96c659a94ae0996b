"""Searches of the desk without the minutes that real ones take: runs that do as they are told, results made by hand."""

import io
from datetime import timedelta

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from doc_assets.archive.ledger.desk_searches import GivenFile
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.datatypes import Box, Page, PhotoCrop
from doc_assets.errors import ServiceError
from doc_assets.reports.query_pictures import QueryPictures
from doc_assets.sources.names import document_id
from doc_assets.web.search_runs import RunState
from doc_assets_tests.results import a_found, a_pair, a_result

LABEL = "abcdefghijkmnpqrstuv-1.jpg"


class ToldRuns:
    """Runs whose states tests say.

    Attributes:
        launched: config, tags and what the files were like when a run was started.
        states: by run id.
        refuses: says why no run can be started.
    """

    def __init__(self):
        self.launched, self.states, self.refuses, self.is_closed = [], {}, None, False

    def launch(self, config, tags):
        if self.refuses:
            raise ServiceError(self.refuses)
        run_id = f"run-{len(self.launched) + 1}"
        self.launched.append((config, tags))
        self.states[run_id] = RunState("queued")
        return run_id

    def state(self, run_id):
        state = self.states.get(run_id, RunState("failed", failure="Lost: nobody knows it."))
        if isinstance(state, Exception):
            raise state
        return state

    def close(self):
        self.is_closed = True


def picture(kind="JPEG", size=(64, 48), seed=3):
    """Bytes of a picture."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def sent(name="photo.jpg", content=None, kind="image/jpeg"):
    """A file as a browser sends it."""
    return SimpleUploadedFile(name, picture() if content is None else content, kind)


def end_run(desk, run_id, labels, keeps=False, **changed):
    """Files the result of a run: photo 0 of each file stands in old0.tif."""
    ledger, settings = desk.ledger, desk.desk.runtime.settings
    folder = settings.results_dir / run_id
    request = SearchSettings(privacy_mode=not keeps, output_folder=str(folder))
    now = desk.desk.now()
    ledger.searches.start(SearchRecord(run_id, now, None, "photos__x__v1", 8, request, "somebody"))
    found = a_found(a_pair(query_page=1, query_photo=0, page=1, photo=0, kind="same_photograph"), document="old0.tif")
    results = [
        a_result(
            *([] if changed else [found]), name=label, position=at, n_photos=1, flagged=False, findings=(), **changed
        )
        for at, label in enumerate(labels)
    ]
    ledger.searches.record(run_id, results)
    ledger.searches.finish(run_id, now)
    if keeps:
        pixels = np.full((40, 60, 3), 90, np.uint8)
        for label in labels:
            kept = QueryPictures(folder).of(label)
            kept.page(Page(0, pixels))
            kept.photo(PhotoCrop(0, 0, Box(0, 0, 60, 40), 0.0, pixels))


def a_search(desk, person, *, keeps=False, name="photo.jpg", ended=True):
    """A search of a person whose run is over; returns its number."""
    ledger, now = desk.ledger.desk_searches, desk.desk.now() - timedelta(seconds=5)
    file = GivenFile(name, document_id(name), LABEL, "0" * 64, 123)
    number = ledger.add(person, now, "abcdefghijkmnpqrstuv", [file], keeps=keeps)
    if ended:
        ledger.started(number, f"ended-{number}")
        end_run(desk, f"ended-{number}", [LABEL], keeps)
        ledger.end(number, now)
    return number
