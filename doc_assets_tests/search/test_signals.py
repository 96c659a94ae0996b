"""Every signal earns its place: without words or without verification the same searches answer worse."""

import errno
import uuid
from dataclasses import dataclass, replace

import numpy as np
import pytest

from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.datatypes import Box, DocumentDate, IndexedPhoto, PhotoCrop, PhotoPayload
from doc_assets.errors import ServiceError, StoreUnavailableError
from doc_assets.faults import DocumentState
from doc_assets.lab.attacks import another_shot, attack, crop, tone
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.cutting import encode_jpeg
from doc_assets.search.findings import PhotoGraph, facts_of, judged
from doc_assets.search.matching import HANDFUL, Matcher, Verifier
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.record import result_record
from doc_assets.search.verify.calibration import Calibration
from doc_assets.search.verify.probability import PairModel
from doc_assets.util.threads import Workers
from doc_assets_tests.conftest import NOW

pytestmark = pytest.mark.whole

FIRST, N = 880_000, 60
COPIES = 12
OTHER_SHOTS = range(20, 28)


@dataclass
class Answers:
    """How many copies were found and flagged, and how many other shots were taken for copies."""

    first: int = 0
    flagged: int = 0
    false: int = 0


@pytest.fixture(scope="module")
def gallery(tmp_path_factory, embedder, describer):
    pictures = [draw_picture(FIRST + i) for i in range(N)]
    described = [describer.describe(picture) for picture in pictures]
    vectors = embedder.embed(pictures)
    payloads = [
        PhotoPayload(f"d{i}", f"d{i}.tif", "", "drop", 0, 0, Box(0, 0, p.shape[1], p.shape[0]))
        for i, p in enumerate(pictures)
    ]
    features = {payload.key: found for payload, (found, _) in zip(payloads, described, strict=True)}
    photos = {payload.key: picture for payload, picture in zip(payloads, pictures, strict=True)}

    def pixels(payloads):
        return {payload.key: photos[payload.key] for payload in payloads}

    with EmbeddedStore(tmp_path_factory.mktemp("signals")) as store, Workers(2) as threads:
        store.create("c", embedder.dim)
        points = [
            IndexedPhoto(uuid.UUID(int=i), vector, words, payload)
            for i, (vector, (_, words), payload) in enumerate(zip(vectors, described, payloads, strict=True))
        ]
        store.upsert("c", points)
        store.finish("c")
        yield store, threads, features, pixels


@pytest.fixture
def matcher(gallery):
    store, threads, features, pixels = gallery
    looked_at = []

    def load(payloads):
        looked_at.extend(payloads)
        return {payload.key: features[payload.key] for payload in payloads}

    def make(**request):
        return Matcher(store, "c", Verifier(load, pixels, PairModel()), threads, SearchRequest(**request))

    make.looked_at = looked_at
    make.features = {key.document_id: found for key, found in features.items()}
    return make


@pytest.fixture(scope="module")
def query(embedder, describer):
    def make(pixels):
        (views,) = embedder.embed_views([np.ascontiguousarray(pixels)])
        crop = PhotoCrop(0, 0, Box(0, 0, pixels.shape[1], pixels.shape[0]), 0.0, pixels)
        described = describer.describe(np.ascontiguousarray(pixels))
        photo = QueryPhoto.of(crop, encode_jpeg(pixels, 90), views, described, describer.words)
        return QueryDocument("q", "q.tif", None, DocumentState.OK, None, None, (photo,))

    return make


@pytest.fixture(scope="module")
def queries(query):
    copies = [(query(_cut(FIRST + i)), f"d{i}") for i in range(COPIES)]
    elsewhere = 1000  # what is painted around it must not lie in the gallery: it would be a part used again
    others = [query(another_shot(draw_picture(FIRST + i), draw_picture(FIRST + elsewhere + i), i)) for i in OTHER_SHOTS]
    return copies, others


def _cut(number):
    """A third of a picture's area, mirrored and with another tone."""
    rng = np.random.default_rng(number)
    return tone(crop(draw_picture(number), 0.33, rng), 1.2, 20)[:, ::-1]


def _answers(matcher, queries):
    copies, others = queries
    answers = Answers()
    for asked, document in copies:
        best = matcher.match(asked, [], [])[0]
        is_right = best.document_id == document
        answers.first += is_right
        answers.flagged += is_right and best.n_matched_photos(matcher.request) == 1
    for asked in others:
        answers.false += any(found.n_matched_photos(matcher.request) for found in matcher.match(asked, [], []))
    return answers


def test_without_a_signal_the_answers_are_worse(matcher, queries):
    full = _answers(matcher(top_k=3), queries)
    without_words = _answers(matcher(top_k=3, use_words=False), queries)
    without_verification = _answers(matcher(top_k=3, verify=False, match_similarity=0.5), queries)

    assert full.first == full.flagged == COPIES
    assert full.false == 0
    assert without_words.first < full.first
    assert without_verification.flagged < full.flagged
    assert without_verification.false > full.false


def test_looking_closely_stops_when_a_handful_holds_no_match(matcher, query):
    nothing = matcher(top_k=30)
    strange = nothing.match(query(draw_picture(FIRST + 500)), [], [])
    looked_at_in_vain = len(matcher.looked_at)
    matcher.looked_at.clear()

    nothing.match(query(attack("mirrored", draw_picture(FIRST), 1)), [], [])

    assert looked_at_in_vain == HANDFUL
    assert len(matcher.looked_at) == 2 * HANDFUL
    pairs = [match for document in strange for match in document.matches]
    assert sum(match.looked_at for match in pairs) == HANDFUL
    assert all(match.probability is not None for match in pairs)
    assert all(match.alignment is None for match in pairs if not match.looked_at)


def test_a_pair_that_cannot_be_compared_is_named_and_the_others_are_compared(matcher, query, monkeypatch):
    from doc_assets.search import matching

    right_align, broken = matching.align, matcher.features["d3"].points

    def align(one, mirrored, other):
        if other.points is broken:
            raise np.linalg.LinAlgError("Singular matrix")
        return right_align(one, mirrored, other)

    monkeypatch.setattr(matching, "align", align)
    asked, faults = query(draw_picture(FIRST + 3)), []

    ranking = matcher(top_k=5).match(asked, [], faults)

    (fault,) = faults
    assert (fault.stage, fault.query_page, fault.query_photo) == ("pair", 1, 0)
    assert (fault.document, fault.photo) == ("d3.tif", 0)
    assert fault.reason == "LinAlgError: Singular matrix"
    (pair,) = next(found for found in ranking if found.document_id == "d3").matches
    assert not pair.looked_at
    assert pair.probability == pytest.approx(PairModel().probability(pair.similarity, None))
    assert sum(pair.looked_at for found in ranking for pair in found.matches) == len(ranking) - 1 >= 4


def test_keypoints_of_one_photo_that_cannot_be_had_leave_the_others(matcher, query, gallery):
    store, threads, features, pixels = gallery

    def load(payloads):
        if any(payload.document_id == "d2" for payload in payloads):
            raise OSError("damaged table")
        return {payload.key: features[payload.key] for payload in payloads}

    asked, faults = query(draw_picture(FIRST)), []
    found = Matcher(store, "c", Verifier(load, pixels, PairModel()), threads, SearchRequest(top_k=30)).match(
        asked, [], faults
    )

    assert [(fault.document, fault.reason) for fault in faults] in ([], [("d2.tif", "OSError: damaged table")])
    assert found[0].document_id == "d0"
    assert found[0].n_matched_photos(SearchRequest()) == 1


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_what_concerns_every_pair_ends_the_search(gallery, query, error):
    store, threads, _, pixels = gallery

    def load(_payloads):
        raise error

    wanted = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else ServiceError
    with pytest.raises(wanted):
        Matcher(store, "c", Verifier(load, pixels, PairModel()), threads, SearchRequest()).match(
            query(draw_picture(FIRST)), [], []
        )


def test_what_could_not_be_looked_for_is_a_fault_and_no_clean_bill(gallery, query):
    """Without candidates the risk would be 0.00."""
    _, threads, features, pixels = gallery

    class Broken:
        def search(self, *_args):
            raise ValueError("no such vector")

    asked, faults = query(draw_picture(FIRST)), []
    request = SearchRequest()
    ranking = Matcher(Broken(), "c", Verifier(features.get, pixels, PairModel()), threads, request).match(
        asked, [], faults
    )
    asked = replace(asked, date=DocumentDate(NOW.date(), "arrival"))
    made = result_record("q.tif", 0, asked, (), 0.1, faults=faults)
    record, whole = (
        judged(result, facts_of(made), PhotoGraph([], {}), request.thresholds, PairModel())
        for result in (made, replace(made, faults=()))
    )

    assert ranking == []
    assert (record.risk_score, whole.risk_score) == (None, 0)
    assert [(fault.stage, fault.query_photo) for fault in record.faults] == [("retrieval", None)]
    assert "no such vector" in record.faults[0].reason


def test_a_calibration_changes_what_a_pair_is_worth_and_nothing_that_is_looked_at(matcher, query, gallery):
    store, threads, features, pixels = gallery
    calibration = Calibration(0.5, -1.0, 0.0, PairModel().base_id)
    asked = query(draw_picture(FIRST))

    def pairs(model):
        verifier = Verifier(lambda payloads: {each.key: features[each.key] for each in payloads}, pixels, model)
        ranking = Matcher(store, "c", verifier, threads, SearchRequest(top_k=30)).match(asked, [], [])
        return {pair.payload.key: pair for found in ranking for pair in found.matches}

    plain, calibrated = pairs(PairModel()), pairs(PairModel(calibration=calibration))

    assert plain.keys() == calibrated.keys()
    assert any(pair.likeness is not None for pair in plain.values())
    assert any(not pair.looked_at for pair in plain.values())
    for key, pair in plain.items():
        other = calibrated[key]
        assert other.uncalibrated == pair.probability
        assert other.probability == calibration.of(pair.probability) != pair.probability
        assert (other.looked_at, other.likeness, other.view) == (pair.looked_at, pair.likeness, pair.view)
        assert pair.uncalibrated is None
