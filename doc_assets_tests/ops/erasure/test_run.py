"""A document vanishes, whatever kills the run in between; on SQLite and PostgreSQL."""

import hashlib
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.consistency import check_archive
from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.cases import NewCase
from doc_assets.archive.ledger.desk_searches import GivenFile
from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import ONLY_ADDED
from doc_assets.archive.ledger.search_settings import SearchRequest, SearchSettings, Thresholds
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.archive.ledger.verdicts import Answer, SecondReview
from doc_assets.errors import SettingsError, UnknownDocumentError
from doc_assets.lab.corpus import IDENTICAL
from doc_assets.ops.erasure import databases
from doc_assets.ops.erasure import run as forgetting
from doc_assets.ops.erasure.identifiers import Identifiers
from doc_assets.ops.erasure.request import ForgetRequest, meant, plan_request
from doc_assets.ops.erasure.run import Home, find_residuals, forget
from doc_assets.pipeline.rebuild import stale_drops
from doc_assets.pipeline.reviewing import Weights, file_cases
from doc_assets.pipeline.screening import screen_drop
from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.search.matching import Verifier
from doc_assets.search.verify.probability import PairModel
from doc_assets.settings import Settings
from doc_assets.sources.sources import FolderSource
from doc_assets.util.threads import Workers
from doc_assets_tests.archive.ledger import postgres
from doc_assets_tests.conftest import NOW
from doc_assets_tests.pipeline.pipeline import Pipeline
from doc_assets_tests.results import a_result

ALONE = SecondReview(fraud=False)
STEPS = [
    "_remove_points",
    "prune_chunk",
    "_redact",
    "_file_cases",
    "_rewrite_reports",
    "remove_holding",
    "_replace_names",
    "find_residuals",
]


class World:
    """A home that is ingested and screened."""

    def __init__(self, root, url, tools, files, names):
        self.root, self.files = root, files
        self.reader, *others = tools
        self.source, self.reuse, self.twin = names
        self.ledger = Ledger.open(url, root / "forgotten.key")
        self.archive = Archive(self.ledger, UPath(root))
        self.pipeline = Pipeline(self.archive, self.reader, *others, root / "qdrant")
        self.events = f"sqlite:///{root / 'dagster' / 'events.db'}"

    def fill(self):
        for drop in self.pipeline.ingest(self.files):
            self._screen(drop)
        (self.root / "dagster").mkdir()
        (self.root / "log").mkdir()
        names = [path.name for path in self.files.iterdir()]
        (self.root / "log" / "app.log").write_text(f"read {names}\n", encoding="utf-8")
        engine = create_engine(self.events)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE events (body TEXT)"))
            for name in names:
                connection.execute(text("INSERT INTO events VALUES (:name)"), {"name": f'{{"path": "{name}"}}'})
        engine.dispose()

    def _screen(self, drop):
        tools, threads = self.pipeline, Workers(2)
        queries = StoredQueries(self.archive, tools.versions, tools.embedder, tools.describer, threads)
        screen_drop(
            self.archive, tools.store, "photos", queries,
            Verifier.of(self.archive, tools.versions.features_id, PairModel()),
            SearchRequest(include_batch=False, privacy_mode=False), drop,
        )  # fmt: skip
        threads.close()
        file_cases(self.archive, drop, NOW, Weights(), ALONE)
        self._report(drop)

    def _report(self, drop):
        from doc_assets.archive.ledger.searches import search_id_of
        from doc_assets.reports.stored_results import write_anew

        search = self.ledger.searches.get(search_id_of(drop))
        write_anew(self.archive, self.reader, search, self.root / "results" / "drops" / drop)

    def home(self):
        from contextlib import nullcontext

        return Home(
            settings=Settings(home=self.root, log_dir=self.root / "log"), archive=self.archive,
            open_store=self.pipeline.store, open_reader=lambda: nullcontext(self.reader),
            model=PairModel(), thresholds=Thresholds(), records=lambda: [self.events], second_review=ALONE,
        )  # fmt: skip

    def case(self, name):
        """The case of a document, with its pairs."""
        (document,) = self.ledger.documents.current_with_ids([name.removesuffix(".tif")]).values()
        case = self.ledger.cases.of_document(document.id)
        return case, self.ledger.cases.pairs([case.case_id]).get(case.case_id, [])

    def judge(self, name):
        """Somebody decides the case of a document, writes its name into a comment, and all of it is noted."""
        case, pairs = self.case(name)
        said = dict.fromkeys((pair.pair_key for pair in pairs), Answer("same", "fraud"))
        cases, audit = self.ledger.cases, self.ledger.audit
        cases.decide(case.case_id, "kim", said, NOW, rule=ALONE, snapshots={})
        cases.comment(case.case_id, "kim", f"{self.source} was first, {self.reuse} took it", NOW)
        audit.add("kim", "case.decide", f"case {case.case_id}", NOW, {"pairs": len(said)})
        return case.case_id, list(said)

    def forget(self, name):
        request = plan_request(self.archive, meant(self.archive, [name]))
        request.save(self.root)
        return request, forget(self.home(), request, NOW)

    def faults(self):
        with self.pipeline.store() as store:
            return check_archive(self.archive, store, "photos", self.pipeline.versions, read_data=True).faults


@pytest.fixture(scope="module")
def tools(reader, cutter, embedder, describer):
    return reader, cutter, embedder, describer


@pytest.fixture(scope="module")
def files(tmp_path_factory, corpus, plans):
    """A re-used photo's source, its re-use, a document and its twin; and the names of all but the third."""
    folder = tmp_path_factory.mktemp("files")
    reuse = next(plan for plan in plans if plan.reuse and plan.reuse.attack == "mirrored")
    twin = next(plan for plan in plans if plan.reuse and plan.reuse.attack == IDENTICAL)
    for plan in (reuse, twin):
        shutil.copy(corpus / "incoming" / plan.name, folder)
        shutil.copy(corpus / "archive" / plan.reuse.source_document, folder)
    return folder, (reuse.reuse.source_document, reuse.name, twin.name)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tools, files):
    root = tmp_path_factory.mktemp("made")
    made = World(root, f"sqlite:///{root / 'ledger.sqlite'}", tools, *files)
    made.fill()
    made.ledger.close()
    return root


@pytest.fixture
def world(made, tmp_path, tools, files):
    """A copy of the home that was made once."""
    root = tmp_path / "home"
    shutil.copytree(made, root)
    opened = World(root, f"sqlite:///{root / 'ledger.sqlite'}", tools, *files)
    yield opened
    opened.ledger.close()


@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_the_same_holds_with_the_ledger_in_postgresql(tmp_path, postgres_server, tools, files):
    with postgres.empty_database(postgres_server) as url:
        world = World(tmp_path, url, tools, *files)
        world.fill()

        _, report = world.forget(world.source)

        assert report.traces == []
        assert world.faults() == []
        world.ledger.close()


@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_so_it_is_with_cases_in_postgresql(tmp_path, postgres_server, tools, files):
    with postgres.empty_database(postgres_server) as url:
        world = World(tmp_path, url, tools, *files)
        world.fill()

        _assert_case_is_forgotten(world)

        world.ledger.close()


def _rows(world, table):
    with world.ledger.database.reading() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # a name of this test


def _assert_case_is_forgotten(world):
    """The document of a case is forgotten: what names it goes, what was decided stays and says nothing of it."""
    case_id, keys = world.judge(world.reuse)
    n_cases = _rows(world, "review_cases")

    _, report = world.forget(world.reuse)

    assert report.traces == []
    assert world.ledger.cases.get(case_id) is None
    assert world.ledger.cases.comments(case_id) == []
    assert _rows(world, "review_cases") == n_cases - 1
    assert [verdict.pair_key for verdict in world.ledger.cases.verdicts(keys)] == keys
    assert world.ledger.audit.verify().broken is None
    assert [entry.subject for entry in world.ledger.audit.page(9)] == [f"case {case_id}"]


def test_the_document_of_a_case_is_forgotten_and_verdicts_stay(world):
    _assert_case_is_forgotten(world)


def test_a_case_whose_other_document_is_forgotten_has_nothing_left_to_judge(world):
    case_id, keys = world.judge(world.reuse)
    (twin_case, _) = world.case(world.twin)

    _, report = world.forget(world.source)

    assert report.traces == []
    assert world.ledger.cases.get(case_id).state == "gone"
    assert world.ledger.cases.pairs([case_id]) == {}
    assert [comment.text for comment in world.ledger.cases.comments(case_id)] == [
        f"forgotten was first, {world.reuse} took it"
    ]
    assert len(world.ledger.cases.verdicts(keys)) == len(keys)
    assert world.case(world.twin)[0] == twin_case


def test_a_case_says_that_its_other_document_is_gone_until_it_is_filed_again(world):
    _, pairs = world.case(world.reuse)
    (source,) = world.ledger.documents.current_with_ids([world.source.removesuffix(".tif")]).values()
    assert {pair.other_row for pair in pairs} == {source.id}

    DocumentRemoval(world.ledger.database).remove([source.document_id], [], [], [])

    assert {pair.other_row for pair in world.case(world.reuse)[1]} == {None}


def test_a_number_of_a_case_that_is_gone_is_not_given_again(world):
    newest = max(case.case_id for case in world.ledger.cases.page(CaseFilter(), 10))
    (name,) = [case.document for case in world.ledger.cases.page(CaseFilter(), 10) if case.case_id == newest]
    (document,) = world.ledger.documents.current_with_ids([name.removesuffix(".tif")]).values()
    pair = world.case(name)[1][0]
    DocumentRemoval(world.ledger.database).remove([document.document_id], [], [], [])
    (other, *_) = world.ledger.documents.current()

    new = NewCase(other.id, other.drop_key, None, {"probability": 1.0}, (pair,))
    filed = world.ledger.cases.file([other.id], [new], NOW, age_per_day=0.0, rule=ALONE)

    assert filed.opened > (newest,)


def test_a_search_of_the_desk_for_the_document_goes_with_its_files_and_pictures(world):
    searches, now = world.ledger.desk_searches, NOW
    content = (world.files / world.source).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    given = [(world.source, "1" * 64), ("renamed.tif", digest), ("another.tif", "2" * 64)]
    folders = []
    for at, (name, sha256) in enumerate(given, 1):
        file = GivenFile(name, name.removesuffix(".tif"), f"label-{at}.tif", sha256, len(content))
        number = searches.add("kim", now, f"folder-{at}", [file], keeps=at != 1)
        searches.started(number, f"run-{at}")
        world.ledger.searches.start(SearchRecord(f"run-{at}", now, now, "photos__x__v1", 1, SearchSettings()))
        world.ledger.searches.record(f"run-{at}", [a_result(name=f"label-{at}.tif")])
        folders += [world.root / "uploads" / f"folder-{at}", world.root / "results" / f"run-{at}" / "files"]
        for folder in folders[-2:]:
            folder.mkdir(parents=True)
            (folder / f"label-{at}.tif").write_bytes(content if at < 3 else b"another")

    _, report = world.forget(world.source)

    assert report.traces == []
    assert [folder.exists() for folder in folders] == [False] * 4 + [True] * 2
    assert [search.number for search in searches.page(9)] == [3]
    assert [each for each in world.ledger.searches.ids() if each.startswith("run-")] == ["run-3"]


def test_a_document_that_is_called_like_a_word_of_the_audit_does_not_stop_erasure(world):
    world.judge(world.reuse)
    identifiers = Identifiers(("case.decide",))

    assert databases.scrub(world.home().ledger_url, identifiers, ONLY_ADDED) == 0


def _shards(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")}


def test_nothing_is_left_and_the_others_stay(world):
    assert world.faults() == []
    before = world.pipeline.points()
    (drop,) = world.ledger.intake.drop_keys()
    (answer,) = [r for r in world.ledger.searches.results(f"drop:{drop}") if r.query_document == world.reuse]
    assert answer.flagged

    request, report = world.forget(world.source)

    assert report.traces == []
    assert report.points > 0
    assert world.faults() == []
    after = world.pipeline.points()
    assert after.items() <= before.items()
    assert {p.file_name for p in before.values()} - {p.file_name for p in after.values()} == {world.source}
    assert ForgetRequest.open_requests(world.root) == []
    results = {r.query_document: r for r in world.ledger.searches.results(f"drop:{drop}")}
    assert world.source not in results
    assert not results[world.reuse].flagged
    assert (world.root / "results" / "drops" / drop / "report.html").exists()
    assert world.source in [path.name for path in request.originals()]


def test_nothing_becomes_stale_or_is_made_again(world):
    world.forget(world.source)
    shards = _shards(world.root)

    assert stale_drops(world.ledger, world.pipeline.versions) == []
    for drop in world.ledger.intake.drop_keys():
        world.pipeline.run(drop)

    assert _shards(world.root) == shards
    assert world.faults() == []


def test_a_run_that_is_killed_at_every_step_is_ended_by_the_next(world, monkeypatch):
    request = plan_request(world.archive, meant(world.archive, [world.source]))
    request.save(world.root)

    def killed(*_arguments, **_more):
        raise KeyboardInterrupt

    for step in STEPS:
        with monkeypatch.context() as patch:
            patch.setattr(forgetting, step, killed)
            with pytest.raises(KeyboardInterrupt):
                forget(world.home(), request, NOW)

    (again,) = ForgetRequest.open_requests(world.root)
    assert again == request
    assert forget(world.home(), again, NOW).traces == []
    assert world.faults() == []
    assert ForgetRequest.open_requests(world.root) == []


def test_the_bytes_of_a_twin_stay_and_are_not_refused(world):
    digest = hashlib.sha256((world.files / world.twin).read_bytes()).hexdigest()

    _, report = world.forget(world.twin)

    assert report.traces == []
    assert world.faults() == []
    assert (world.root / "documents" / digest[:2] / f"{digest}.tif").exists()
    assert not world.ledger.tombstones.is_forgotten_content(digest)
    assert world.ledger.tombstones.forgotten_documents([world.twin.removesuffix(".tif"), "other"]) == {
        world.twin.removesuffix(".tif")
    }


def test_a_forgotten_document_is_known_again_by_name_and_by_content(world, tmp_path):
    world.forget(world.source)
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(world.files / world.source, again)
    shutil.copy(world.files / world.source, again / "another-name.tif")

    rules = SealingRules(drop_max_documents=9, chunk_documents=3)
    intake = seal_source(world.archive, FolderSource(UPath(again)), NOW, rules)
    world.pipeline.run(*intake.sealed)

    assert intake.forgotten == [world.source]
    ((state, code, digest),) = [
        (d.state, d.reason_code, d.sha256) for d in world.ledger.documents.of_chunk(intake.sealed[0], range(9))
    ]
    assert (state, code, digest) == ("rejected", "E_FORGOTTEN", None)
    assert world.ledger.tombstones.allow(world.source.removesuffix(".tif"))
    let_in = seal_source(world.archive, FolderSource(UPath(again)), NOW, rules)
    assert (let_in.forgotten, len(let_in.sealed)) == ([], 1)


def test_without_its_key_the_ledger_refuses_instead_of_letting_documents_back(world):
    world.forget(world.source)
    (world.root / "forgotten.key").unlink()

    with pytest.raises(SettingsError, match=r"forgotten\.key"):
        world.pipeline.ingest(world.files)


def test_a_planted_trace_is_found_and_keeps_the_request(world):
    planted = world.root / "models" / "notes.txt"
    planted.parent.mkdir()
    planted.write_text(f"see {world.source}", encoding="utf-8")

    _, report = world.forget(world.source)

    assert [Path(trace.place).name for trace in report.traces] == ["notes.txt"]
    (request,) = ForgetRequest.open_requests(world.root)
    planted.unlink()
    assert list(find_residuals(world.home(), request.identifiers)) == []


def test_an_unknown_document_changes_nothing(world):
    with pytest.raises(UnknownDocumentError, match="N-never-seen"):
        plan_request(world.archive, [world.source, "N-never-seen.tif"])


def test_bytes_that_another_document_has_too_are_no_trace(world, tmp_path):
    from doc_assets.ops.erasure.identifiers import A_PIECE
    from doc_assets.sources.staging import staged_path

    inbox = world.root / "inbox"
    inbox.mkdir()
    copy = inbox / "another-merchants-report.tif"
    copy.write_bytes((world.files / world.source).read_bytes() + b"other bytes behind the last page")
    world.pipeline.ingest(inbox)

    request, report = world.forget(world.source)

    assert report.traces == []
    (other,) = world.archive.ledger.documents.current_with_ids(["another-merchants-report"]).values()
    assert staged_path(world.archive.bulk, other.sha256).exists()
    assert copy.exists()
    left = world.root / "a copy that nobody knows.tif"
    left.write_bytes(copy.read_bytes())
    residuals = find_residuals(world.home(), request.identifiers)
    assert [(residual.place, residual.what) for residual in residuals] == [(str(left), A_PIECE)]
