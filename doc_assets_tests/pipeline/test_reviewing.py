"""Cases of screened drops: who has one, that screening again reopens nothing, and when one ends."""

import shutil

import pytest

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.search_settings import SearchRequest, Thresholds
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import Answer, SecondReview
from doc_assets.lab.corpus import IDENTICAL
from doc_assets.pipeline.relabel import relabel
from doc_assets.pipeline.reviewing import Weights, file_cases, file_cases_again
from doc_assets.pipeline.screening import screen_drop
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.search.labels import Labeller
from doc_assets.search.matching import Verifier
from doc_assets.search.verify.probability import PairModel
from doc_assets.util.threads import Workers
from doc_assets_tests.conftest import NOW
from doc_assets_tests.pipeline.pipeline import opened

EVERY = CaseFilter(states=("open", "second", "disputed", "decided", "gone"))
ALONE = SecondReview(fraud=False)


class Screened:
    """A pipeline whose drops are screened, and what the review desk does with them."""

    def __init__(self, pipeline, drop, threads):
        self.pipeline, self.drop, self.threads = pipeline, drop, threads
        self.archive, self.cases = pipeline.archive, pipeline.archive.ledger.cases

    def screen(self, drop=None, **thresholds):
        """Screens a drop and files its cases."""
        tools, archive = self.pipeline, self.archive
        request = SearchRequest(include_batch=False, privacy_mode=False, **thresholds)
        queries = StoredQueries(archive, tools.versions, tools.embedder, tools.describer, self.threads)
        verifier = Verifier.of(archive, tools.versions.features_id, PairModel())
        screen_drop(archive, tools.store, "photos", queries, verifier, request, drop or self.drop)
        return self.file(drop)

    def file(self, drop=None):
        return file_cases(self.archive, drop or self.drop, NOW, Weights(), ALONE)

    def take_in(self, folder, **files):
        """Ingests files of these names with these contents as a drop; names come without their ending."""
        folder.mkdir()
        for name, content in files.items():
            (folder / f"{name}.tif").write_bytes(content)
        (drop,) = self.pipeline.ingest(folder)
        return drop

    def results(self):
        return {r.query_document: r for r in self.archive.ledger.searches.results(search_id_of(self.drop))}

    def states(self):
        return {case.document: case.state for case in self.cases.page(EVERY, 100) if case.drop_key == self.drop}

    def case(self, name):
        (document,) = self.archive.ledger.documents.current_with_ids([name.removesuffix(".tif")]).values()
        return self.cases.of_document(document.id)

    def keys(self, name):
        case = self.case(name)
        return [pair.pair_key for pair in self.cases.pairs([case.case_id])[case.case_id]]

    def decide_all(self):
        for case in self.cases.page(EVERY, 100):
            pairs = self.cases.pairs([case.case_id])[case.case_id]
            answers = dict.fromkeys((pair.pair_key for pair in pairs), Answer("same", "renewal"))
            self.cases.decide(case.case_id, "kim", answers, NOW, rule=ALONE, snapshots={})


@pytest.fixture(scope="module")
def threads():
    with Workers(2) as opened_threads:
        yield opened_threads


@pytest.fixture(scope="module")
def made(filled_root, reader, cutter, embedder, describer, corpus, threads, tmp_path_factory):
    """The archive's documents as one drop, the incoming ones as the next, screened and filed."""
    root = shutil.copytree(filled_root, tmp_path_factory.mktemp("reviewed") / "root")
    with opened(root, reader, cutter, embedder, describer) as pipeline:
        (drop,) = pipeline.ingest(corpus / "incoming")
        Screened(pipeline, drop, threads).screen()
    return root, drop


@pytest.fixture
def screened(made, reader, cutter, embedder, describer, threads, tmp_path):
    root, drop = made
    with opened(shutil.copytree(root, tmp_path / "root"), reader, cutter, embedder, describer) as pipeline:
        yield Screened(pipeline, drop, threads)


@pytest.fixture(scope="module")
def named(plans):
    """Names of incoming documents by what was done to their photo; None for the honest one."""
    return {plan.reuse.attack if plan.reuse else None: plan.name for plan in plans if plan.folder == "incoming"}


def test_every_flagged_document_has_a_case_and_no_other(screened, named):
    report = screened.file()

    flagged = {name for name, result in screened.results().items() if result.flagged}
    assert flagged == {name for attack, name in named.items() if attack is not None}
    assert screened.states() == dict.fromkeys(flagged, "open")
    assert report.without_case == ()
    assert (report.documents, report.filed.opened) == (len(flagged), ())  # filed before, with the screening


def test_a_case_shows_the_pair_that_counts_and_what_makes_it_urgent(screened, named, plans):
    case = screened.case(named["mirrored"])
    pairs = screened.cases.pairs([case.case_id])[case.case_id]
    source = next(plan.reuse.source_document for plan in plans if plan.name == case.document)
    (other,) = screened.archive.ledger.documents.with_row_ids([pairs[0].other_row])

    assert other.file_name == source
    assert pairs[0].pair is not None
    assert pairs[0].pair.mirrored
    assert set(case.parts) <= {"probability", "photos", "merchants"}
    whole = screened.case(named[IDENTICAL])
    assert whole.parts["identical_file"] == Weights().identical_file
    assert -1 in {pair.photo for pair in screened.cases.pairs([whole.case_id])[whole.case_id]}
    assert screened.cases.page(EVERY, 1)[0].case_id == whole.case_id


def test_the_more_probable_of_two_cases_comes_first_however_probable_both_are(screened):
    cases = screened.cases.page(EVERY, 100)
    alone = [case for case in cases if set(case.parts) == {"probability"}]
    pairs = screened.cases.pairs([case.case_id for case in alone])
    probabilities = [max(pair.probability for pair in pairs[case.case_id]) for case in alone]

    assert len({each for each in probabilities if each > 0.998}) > 1
    assert probabilities == sorted(probabilities, reverse=True)


def test_screening_again_keeps_keys_and_reopens_nothing(screened, named):
    before = {name: screened.keys(name) for name in screened.states()}
    screened.decide_all()
    decided = screened.states()

    reports = [screened.screen(), screened.screen()]

    assert {name: screened.keys(name) for name in screened.states()} == before
    assert screened.states() == decided == dict.fromkeys(decided, "decided")
    assert [report.filed for report in reports] == [type(reports[0].filed)((), (), ())] * 2


def test_the_case_of_a_version_that_was_replaced_ends(screened, named, corpus, tmp_path):
    name = named["mirrored"]
    old = screened.case(name)
    honest = (corpus / "incoming" / named[None]).read_bytes()
    drop = screened.take_in(tmp_path / "again", **{name.removesuffix(".tif"): honest + b"other bytes at its end"})

    report = screened.screen(drop)

    assert screened.cases.get(old.case_id).state == "gone"
    assert old.case_id in report.filed.ended
    screened.screen()
    assert screened.cases.get(old.case_id).state == "gone"


def test_an_older_drop_does_not_end_the_case_of_the_newer_version(screened, named, corpus, tmp_path):
    name = named[None]
    stolen = (corpus / "incoming" / named["mirrored"]).read_bytes() + b"other bytes at its end"
    drop = screened.take_in(tmp_path / "again", **{name.removesuffix(".tif"): stolen})
    screened.screen(drop)
    assert screened.case(name).state == "open"

    screened.screen()

    assert screened.case(name).state == "open"


def test_a_file_that_comes_again_as_it_was_leaves_its_case_alone(screened, named, corpus, tmp_path):
    name = named["mirrored"]
    same = (corpus / "incoming" / name).read_bytes()
    drop = screened.take_in(tmp_path / "again", **{name.removesuffix(".tif"): same})

    report = screened.screen(drop)

    assert screened.case(name).state == "open"
    assert (report.documents, report.filed.ended) == (0, ())


def test_findings_that_changed_in_other_drops_file_their_cases(screened, named, corpus, tmp_path):
    """An older document with the honest one's photos arrives late: whose photos they were is known since."""
    honest = named[None]
    assert honest not in screened.states()
    content = (corpus / "incoming" / honest).read_bytes()
    drop = screened.take_in(tmp_path / "late", N2019010100001THA00100001_1=content)

    report = screened.screen(drop)

    assert screened.states()[honest] == "open"
    assert screened.case(honest).case_id in report.filed.opened


def test_raised_thresholds_end_cases_and_verdicts_stay(screened, named):
    keys = screened.keys(named["mirrored"])
    screened.decide_all()

    report = screened.screen(match_probability=1.0)

    states = screened.states()
    assert states.pop(named[IDENTICAL]) == "decided"
    assert set(states.values()) == {"gone"}
    assert len(report.filed.ended) == len(states)
    assert len(screened.cases.verdicts(keys)) == len(keys)
    screened.screen()
    assert set(screened.states().values()) == {"decided"}


def test_labels_made_anew_file_their_cases_again(screened, named):
    ledger, search_id = screened.archive.ledger, search_id_of(screened.drop)

    changed = relabel(Labeller(ledger, Thresholds(match_probability=1.0), PairModel()), [search_id])
    file_cases_again(screened.archive, changed, NOW, ALONE)

    assert {name for name, state in screened.states().items() if state == "open"} == {named[IDENTICAL]}
