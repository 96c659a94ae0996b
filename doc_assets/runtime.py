"""The runtime of a home: archive, vector store, reader, sources and models by its settings, opened when asked for."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from doc_assets.archive.adoption import adopt_collections
from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.home import home_identity, require_whole
from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.search_settings import SearchRequest, Thresholds
from doc_assets.archive.ledger.verdicts import SecondReview
from doc_assets.archive.vectors.base import VectorStore, embedder_of
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.features.embedders.base import Embedder, EmbedderSpec, make_embedder
from doc_assets.features.model_folders import resolve_checkpoint
from doc_assets.features.sift import SiftExtractor
from doc_assets.features.words import Describer, VisualWords
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.reading.preflight import Limits
from doc_assets.reading.sandbox import DocumentReader, ReaderLimits
from doc_assets.reading.text.finder import PageFinder, make_finder
from doc_assets.reports.review_report.figures import Columns
from doc_assets.search.labels import Labeller
from doc_assets.search.verify.calibration import Calibration, load_calibration
from doc_assets.search.verify.probability import PairModel
from doc_assets.settings import Settings
from doc_assets.sources.dates import DateRule
from doc_assets.sources.document_api import ApiOptions
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyOf, KeyRow, TableLayout, keys_in
from doc_assets.sources.open_sources import OpenSources, SourceRequest, SourceRules, open_sources

_ANSWER_WITHIN_S = 10


class Runtime:
    """Everything that a program needs of a home; commands and runs have one each.

    What has to be closed is a context manager. Weights are loaded once for each process.

    Attributes:
        settings: of the home.
    """

    def __init__(self, settings: Settings, embedder: EmbedderSpec | None = None) -> None:
        """A home by its settings.

        Args:
            settings: of the home.
            embedder: that makes and reads vectors; default: the one that the archive uses.
        """
        self.settings = settings
        self._embedder = embedder

    def changed(self, **settings: Any) -> "Runtime":  # noqa: ANN401 - the fields of Settings
        """The same home with other settings.

        Raises:
            SettingsError: if a value is out of range.
        """
        return Runtime(self.settings.changed(**settings), self._embedder) if settings else self

    def with_embedder(self, spec: EmbedderSpec | None) -> "Runtime":
        """The same home with this embedder, whatever the archive uses; None for the one that it uses."""
        return Runtime(self.settings, spec)

    # --- the archive

    @contextmanager
    def archive(self) -> Iterator[Archive]:
        """The ledger, its tables up to date, and the files beside it.

        Raises:
            InterruptedRestoreError: if a restore left the home half made.
            ServiceError: if the database does not answer.
        """
        require_whole(self.settings.home)
        with Ledger.open(self.settings.ledger_address, self.settings.forgotten_key) as ledger:
            yield Archive(ledger, self.settings.bulk)

    @contextmanager
    def store(self) -> Iterator[VectorStore]:
        """The home's collections of vectors; the embedded engine is held until the block ends.

        Raises:
            InterruptedRestoreError: if a restore left the home half made.
            ServiceError: if the store does not answer, or another run holds it for too long.
        """
        settings = self.settings
        require_whole(settings.home)
        with self._store(home_identity(settings.home)) as store:
            adopt_collections(store, settings.ledger_address, self.alias)
            yield store

    def _store(self, home: str) -> VectorStore:
        settings = self.settings
        if not settings.qdrant_url:
            from doc_assets.archive.vectors.embedded import EmbeddedStore  # noqa: PLC0415 - imports the engine

            return EmbeddedStore(settings.qdrant_dir, settings.store_lock_timeout_s, home)
        key = settings.qdrant_api_key
        return ServerStore.connect(
            settings.qdrant_url,
            api_key=key.get_secret_value() if key else None,
            grpc_port=settings.qdrant_grpc_port,
            timeout_s=settings.qdrant_timeout_s,
            home=home,
        )

    @property
    def alias(self) -> str:
        """Alias of the collection that searches use."""
        return self.settings.collection_alias

    # --- documents and where they come from

    @contextmanager
    def reader(self) -> Iterator[DocumentReader]:
        """A reader of documents; its processes end with the block."""
        settings = self.settings
        limits = ReaderLimits(
            Limits(settings.max_pages, settings.max_page_px, settings.max_document_px),
            settings.max_file_bytes,
            settings.decode_memory_bytes,
            settings.decode_timeout_s,
            settings.decode_timeout_per_page_s,
        )
        with DocumentReader(limits, settings.decode_workers) as reader:
            yield reader

    @contextmanager
    def sources(
        self, asked: SourceRequest, known: Callable[[KeyRow], bool] = lambda _: False, *, files_are_named: bool = False
    ) -> Iterator[OpenSources]:
        """The sources of a request; see ``open_sources``."""
        with open_sources(self.source_rules, asked, known, files_are_named=files_are_named) as opened:
            yield opened

    @property
    def source_rules(self) -> SourceRules:
        """How sources are read, whatever is asked of them."""
        settings = self.settings
        return SourceRules(
            index=settings.home / "file_index.sqlite",
            failed_log=settings.log_dir / "failed_requests.log",
            failed_log_bytes=settings.log_max_bytes,
            layout=TableLayout(
                settings.key_column,
                settings.key_merchant_column,
                tuple(settings.key_fields),
                settings.key_sheet,
                tuple(settings.key_date_columns),
            ),
            naming=NameRule(settings.key_tail_len, settings.key_insert_token, settings.key_glob_suffix),
            roots=tuple(settings.search_roots),
            any_depth=settings.search_any_depth,
            api=_api_options(settings),
            key_table=settings.key_table,
            ignore=tuple(settings.intake_ignore),
        )

    @property
    def dates(self) -> DateRule:
        """Where documents' dates stand."""
        settings = self.settings
        return DateRule(tuple(settings.key_date_columns), tuple(settings.date_name_patterns), settings.timezone)

    def key_of(self) -> KeyOf:
        """Document id -> row of the key table as it is now."""
        rules = self.source_rules
        return keys_in(rules.key_table, rules.layout, rules.naming)

    # --- photos and their features

    def cutter(self) -> PhotoCutter:
        """What finds photos on pages and cuts them.

        Raises:
            SettingsError: if there is no such extractor or it does not take these options.
            MissingModelError: if its weights are absent or damaged.
        """
        settings = self.settings
        options = resolve_checkpoint(settings.photo_extractor_options, settings.models_dir)
        extractor = make_extractor(settings.photo_extractor, options)
        return PhotoCutter(extractor, settings.photo_max_side_px, settings.photo_jpeg_quality, _page_finder(settings))

    def embedder_spec(self) -> EmbedderSpec:
        """Which embedder makes vectors: the one that this runtime was given, else the one that the archive uses."""
        return self._embedder or embedder_in_use(self.settings)

    def embedder(self) -> Embedder:
        """That embedder, its weights loaded; the same object for the same one.

        Raises:
            SettingsError: if there is no such embedder or it does not take these options.
            MissingModelError: if its weights are absent or damaged.
        """
        spec, settings = self.embedder_spec(), self.settings
        options = resolve_checkpoint(spec.options, settings.models_dir)
        return _embedder(spec.name, json.dumps(options), settings.device, settings.embed_batch_size)

    def describer(self) -> Describer:
        """What finds keypoints and names them, its codebook loaded; the same object for the same settings."""
        return _describer(self.settings.words_codebook, self.settings.max_features)

    def versions(self) -> Versions:
        """What these settings make of a drop."""
        return Versions(self.cutter().version, self.embedder().embedder_id, self.describer().features_id)

    # --- judging

    def pair_model(self, embedder_id: str | None) -> PairModel:
        """The model of photo pairs, to judge this embedder's similarities, with the home's calibration by verdicts.

        The same object for the same files, which are looked at each time: a process that lives for days takes a new
        calibration with its next search.

        Raises:
            MissingModelError: if weights or calibration are absent or damaged.
        """
        return _pair_model(self.settings.probability_model, embedder_id, calibration_in_use(self.settings))

    def request(self, **asked: Any) -> SearchRequest:  # noqa: ANN401 - the fields of SearchRequest
        """A search with the thresholds of the settings, and what is asked for."""
        thresholds = {each.name: getattr(self.settings, each.name) for each in fields(Thresholds)}  # of the same names
        thresholds["non_authentic_image_classes"] = tuple(self.settings.non_authentic_image_classes)
        return SearchRequest(**thresholds, **asked)

    @property
    def report_columns(self) -> Columns:
        """Columns of key tables that the lead's report groups documents by; none that result files leave out."""
        left_out = self.settings.remove_columns_from_results
        sender = self.settings.report_sender_column
        groups = [column for column in self.settings.report_group_columns if column not in left_out]
        return Columns("" if sender in left_out else sender, tuple(groups))

    @property
    def second_review(self) -> SecondReview:
        """Which cases a second person judges."""
        return SecondReview(self.settings.review_second_for_fraud, self.settings.review_second_share)

    def labeller(self, ledger: Ledger) -> Labeller:
        """What makes labels of stored results, by the thresholds of the settings."""
        used = ledger.collections.last("in_use")
        return Labeller(ledger, self.request().thresholds, self.pair_model(embedder_of(used.name) if used else None))


def embedder_of_settings(settings: Settings) -> EmbedderSpec:
    """The embedder of a new archive."""
    return EmbedderSpec(settings.embedder, settings.embedder_options)


def embedder_in_use(settings: Settings) -> EmbedderSpec:
    """The embedder that made the collection in use, or that of the settings while there is none; makes no tables.

    A setting that was changed since does not count: nothing of the archive could be compared with its vectors.

    Raises:
        ServiceError: if the ledger's database does not answer.
    """
    if is_absent(settings.ledger_address):
        return embedder_of_settings(settings)
    with closing(Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)) as database:
        found = CollectionLedger(database).last("in_use") if database.revision() == SCHEMA_REVISION else None
    return EmbedderSpec(found.embedder, found.options) if found else embedder_of_settings(settings)


def calibration_in_use(settings: Settings) -> Calibration | None:
    """What the home learnt from verdicts, whatever weights it is for; None without any, or if the settings say no.

    Raises:
        MissingModelError: if its file is damaged.
    """
    found = load_calibration(settings.models_dir) if settings.use_calibration else None
    return found[0] if found else None


def _api_options(settings: Settings) -> ApiOptions:
    key = settings.document_api_key
    return ApiOptions(
        url=settings.document_api_url,
        key=key.get_secret_value() if key else "",
        payload=settings.document_api_payload,
        image_field=settings.document_api_image_field,
        url_field=settings.document_api_url_field,
        name_field=settings.document_api_name_field,
        params=settings.document_api_params,
        timeout_s=settings.document_api_timeout_s,
        tries=settings.document_api_tries,
    )


def _page_finder(settings: Settings) -> PageFinder | None:
    """What finds the pages to look at, the same object for the same settings; None if that is every page."""
    if settings.page_selector != "text":
        return None
    options = {
        "wanted": settings.page_text_wanted,
        "mode": settings.page_text_mode,
        "max_errors": settings.page_text_max_errors,
        "zones": settings.page_text_zones,
        "engine": settings.page_text_engine,
        "engine_options": settings.page_text_engine_options,
        "timeout_s": settings.page_text_timeout_s,
    }
    return _finder(json.dumps(options))


@lru_cache(maxsize=1)  # a finder keeps the processes of its text engine
def _finder(options: str) -> PageFinder:
    return make_finder(**json.loads(options))


@lru_cache(maxsize=2)  # a switch compares the new one with the one in use
def _embedder(name: str, options: str, device: str, batch_size: int) -> Embedder:
    return make_embedder(name, json.loads(options), device=device, batch_size=batch_size)


@lru_cache(maxsize=1)
def _describer(codebook: Path | None, max_features: int) -> Describer:
    return Describer(SiftExtractor(max_features), VisualWords(codebook))


@lru_cache(maxsize=4)
def _pair_model(weights: Path | None, embedder_id: str | None, calibration: Calibration | None) -> PairModel:
    return PairModel(weights, embedder_id, calibration)
