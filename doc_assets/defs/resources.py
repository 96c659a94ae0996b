"""Resources: settings in, domain objects out, closed whatever happens.

Fields show in the UI and can be changed for one run in the Launchpad. Secrets are no fields; they are
read from the settings when the resource is opened.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field
from upath import UPath

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.defs.page_selection import PageSelection, page_selection
from doc_assets.defs.sources import sources_from
from doc_assets.features.describer import Describer
from doc_assets.features.embedders.base import Embedder, EmbedderSpec
from doc_assets.features.model_folders import resolve_checkpoint
from doc_assets.features.sift import SiftExtractor
from doc_assets.features.words import VisualWords
from doc_assets.ops.home import require_whole
from doc_assets.ops.home_identity import home_identity
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutter import PhotoCutter
from doc_assets.pipeline.adoption import adopt_collections
from doc_assets.pipeline.embedder import embedder_in_use, load_embedder
from doc_assets.pipeline.intake import IntakeRules
from doc_assets.pipeline.sealing import SealingRules
from doc_assets.reading.preflight import Limits
from doc_assets.reading.sandbox import DocumentReader, ReaderLimits
from doc_assets.search.request import SearchRequest
from doc_assets.search.verify.probability import PairModel
from doc_assets.settings import Settings, load_settings


class ArchiveResource(dg.ConfigurableResource[Archive]):
    """The ledger and the folders of documents, photos and embeddings."""

    bulk_root: str = Field(description="Folder or fsspec URL of documents, photos and embeddings.")

    @contextmanager
    def open(self) -> Iterator[Archive]:
        """The archive, its ledger's tables up to date."""
        settings = load_settings()
        require_whole(settings.home)
        with Ledger.open(settings.ledger_address, settings.forgotten_key) as ledger:
            yield Archive(ledger, UPath(self.bulk_root))


class IntakeResource(dg.ConfigurableResource[IntakeRules]):
    """The drop folder and the rules by which its files become drops."""

    inbox: str = Field(description="Drop folder that the sensor watches.")
    settle_s: float = Field(ge=0, description="A file has arrived when it stood still this long, in seconds.")
    drop_max_documents: int = Field(ge=1, description="A drop is sealed at this many documents ...")
    drop_max_age_s: float = Field(ge=0, description="... or this many seconds after its oldest file arrived.")
    drops_per_look: int = Field(ge=1, description="At most this many drops are sealed in one tick.")
    chunk_documents: int = Field(ge=1, description="Documents of a drop that are committed together.")
    bulk_drop_max_documents: int = Field(ge=1, description="Documents of a drop that is sealed from a key table.")
    ignore: list[str] = Field(description="Further name patterns to ignore.")

    def rules(self) -> IntakeRules:
        """The rules as the domain takes them."""
        return IntakeRules(
            self.settle_s,
            self.drop_max_documents,
            self.drop_max_age_s,
            self.drops_per_look,
            self.chunk_documents,
            tuple(self.ignore),
        )

    def sealing(self, max_file_bytes: int, fetch_workers: int) -> SealingRules:
        """How documents that a key table names become drops."""
        return SealingRules(self.bulk_drop_max_documents, self.chunk_documents, max_file_bytes, fetch_workers)


class ReaderResource(dg.ConfigurableResource[DocumentReader]):
    """Decoder processes and what one document may cost them."""

    max_file_bytes: int = Field(ge=1, description="Larger files are rejected.")
    max_pages: int = Field(ge=1, description="Documents with more pages are rejected.")
    max_page_px: int = Field(ge=1, description="Larger pages are rejected.")
    max_document_px: int = Field(ge=1, description="Pixel budget of a whole document.")
    memory_bytes: int = Field(ge=1, description="Memory of a decoder child beyond its start.")
    timeout_s: float = Field(gt=0, description="CPU seconds a document may take ...")
    timeout_per_page_s: float = Field(gt=0, description="... plus these for every page.")
    workers: int = Field(ge=1, description="Documents decoded side by side.")

    @contextmanager
    def open(self) -> Iterator[DocumentReader]:
        """A reader; its processes end with the block."""
        limits = ReaderLimits(
            Limits(self.max_pages, self.max_page_px, self.max_document_px),
            self.max_file_bytes,
            self.memory_bytes,
            self.timeout_s,
            self.timeout_per_page_s,
        )
        with DocumentReader(limits, self.workers) as reader:
            yield reader


class PhotoCutterResource(dg.ConfigurableResource[PhotoCutter]):
    """How photos are found and stored."""

    extractor: str = Field(description="layout, template or detector.")
    options: dict[str, Any] = Field(description="Options of that extractor.")
    max_side_px: int = Field(ge=64, description="Stored photos are scaled down to this.")
    jpeg_quality: int = Field(ge=1, le=100, description="JPEG quality of stored photos.")
    pages: PageSelection = Field(description="Which pages are looked at.")

    def load(self) -> PhotoCutter:
        """The cutter as the domain takes it."""
        extractor = make_extractor(self.extractor, self.options)
        return PhotoCutter(extractor, self.max_side_px, self.jpeg_quality, self.pages.finder())


class EmbedderResource(dg.ConfigurableResource[Embedder]):
    """What turns photos into vectors."""

    name: str = Field(description="gist (built in) or transformers; of an archive that has no collection yet.")
    options: dict[str, Any] = Field(description="Options of that embedder.")
    device: str = Field(description="auto, cpu or cuda.")
    batch_size: int = Field(ge=1, description="Photos embedded together; halves itself if memory runs out.")
    pinned: bool = Field(default=False, description="This one even where the archive uses another, as reindex does.")

    def spec(self) -> EmbedderSpec:
        """Which embedder it is."""
        return EmbedderSpec(self.name, self.options) if self.pinned else embedder_in_use(load_settings())

    def pinned_to(self, spec: EmbedderSpec) -> "EmbedderResource":
        """The same with this embedder, whatever the archive uses."""
        return EmbedderResource(
            name=spec.name, options=dict(spec.options), device=self.device, batch_size=self.batch_size, pinned=True
        )

    def in_use(self) -> "EmbedderResource":
        """The same with the embedder that the archive uses."""
        return self.pinned_to(embedder_in_use(load_settings()))

    def load(self) -> Embedder:
        """The embedder, its weights loaded; the same object for the same one."""
        spec = self.spec()
        return _load_embedder(spec.name, json.dumps(dict(spec.options)), self.device, self.batch_size)


@lru_cache(maxsize=2)  # reindex compares the new one with the one in use
def _load_embedder(name: str, options: str, device: str, batch_size: int) -> Embedder:
    spec = EmbedderSpec(name, json.loads(options))
    return load_embedder(load_settings(), spec, device=device, batch_size=batch_size)


class DescriberResource(dg.ConfigurableResource[Describer]):
    """What finds keypoints and names them."""

    codebook: str = Field(description="Codebook of visual words; empty for the package's own.")
    max_features: int = Field(ge=50, description="Most keypoints of a photo.")
    workers: int = Field(ge=1, description="Photos described side by side.")

    def load(self) -> Describer:
        """The describer, its codebook loaded; the same object for the same fields."""
        return _load_describer(self.codebook, self.max_features)


@lru_cache(maxsize=1)
def _load_describer(codebook: str, max_features: int) -> Describer:
    return Describer(SiftExtractor(max_features), VisualWords(codebook or None))


class VectorStoreResource(dg.ConfigurableResource[VectorStore]):
    """Where vectors are searched: a Qdrant server, or the engine in this process."""

    url: str = Field(description="Address of a Qdrant server; empty for the embedded engine.")
    grpc_port: int = Field(description="gRPC port of that server.")
    timeout_s: int = Field(ge=1, description="Limit of one request to that server, in seconds.")
    folder: str = Field(description="Folder of the embedded engine.")
    lock_timeout_s: float = Field(ge=0, description="How long to wait for another run that holds it.")
    alias: str = Field(description="Alias that searches use.")

    @contextmanager
    def open(self) -> Iterator[VectorStore]:
        """The home's collections; the embedded store is held until the block ends."""
        settings = load_settings()
        require_whole(settings.home)
        home = home_identity(settings)
        if self.url:
            key = settings.qdrant_api_key
            store: VectorStore = ServerStore.connect(
                self.url,
                api_key=key.get_secret_value() if key else None,
                grpc_port=self.grpc_port,
                timeout_s=self.timeout_s,
                home=home,
            )
        else:
            store = EmbeddedStore(Path(self.folder), self.lock_timeout_s, home)
        with store:
            adopt_collections(store, settings.ledger_address, self.alias)
            yield store


class QualityResource(dg.ConfigurableResource[None]):
    """Bounds of the asset checks."""

    max_rejected_share: float = Field(ge=0, le=1, description="rejected_share_is_low fails above this.")
    min_photos_per_document: float = Field(ge=0, description="photos_per_document_in_range warns below this mean ...")
    max_photos_per_document: float = Field(gt=0, description="... and above this one.")
    self_test_photos: int = Field(ge=0, description="Attacked copies that planted_copy_is_found searches for.")
    self_test_warn: float = Field(ge=0, le=1, description="It warns below this share of found copies ...")
    self_test_fail: float = Field(ge=0, le=1, description="... and fails below this one.")
    min_graph_recall: float = Field(ge=0, le=1, description="ann_agrees_with_exact fails below this.")


class SearchDefaultsResource(dg.ConfigurableResource[None]):
    """What a search does unless its config says otherwise."""

    results_folder: str = Field(description="Results go into a folder of the run's id below this one.")
    match_probability: float = Field(
        ge=0, le=1, description="A verified photo pair at least this probable counts as matched."
    )
    match_similarity: float = Field(
        ge=-1, le=1, description="Without verification, a photo pair at least this similar counts as matched."
    )
    flag_risk: float = Field(ge=0, le=1, description="A document is flagged from this risk score on.")
    count_other_shots: bool = Field(description="Another shot of a scene counts as the photograph itself.")
    form_picture_merchants: int = Field(
        ge=2, description="So many merchants show a picture at one place of the page before it may be the form's."
    )
    similar_doc_flag_threshold: float = Field(
        ge=-1, le=1, description="Of the earlier system's rule: a document this similar speaks for fraud."
    )
    non_authentic_image_classes: list[str] = Field(description="Of the same rule: classes that speak for fraud.")

    remove_columns: list[str] = Field(description="Columns left out of result files.")
    probability_model: str = Field(description="Model of photo pairs; empty for the package's own.")

    def model(self, embedder_id: str | None) -> PairModel:
        """The model of photo pairs, to judge this embedder's similarities; the same object for the same file."""
        return _load_model(self.probability_model, embedder_id)

    def request(self, **asked: Any) -> SearchRequest:  # noqa: ANN401 - the fields of SearchRequest
        """A request with these thresholds, and what is asked for."""
        return SearchRequest(
            match_probability=self.match_probability,
            match_similarity=self.match_similarity,
            flag_risk=self.flag_risk,
            count_other_shots=self.count_other_shots,
            form_picture_merchants=self.form_picture_merchants,
            similar_doc_flag_threshold=self.similar_doc_flag_threshold,
            non_authentic_image_classes=tuple(self.non_authentic_image_classes),
            **asked,
        )


@lru_cache(maxsize=2)
def _load_model(weights: str, embedder_id: str | None) -> PairModel:
    return PairModel(weights or None, embedder_id)


def versions_in_use(
    photo_cutter: PhotoCutterResource, embedder: EmbedderResource, describer: DescriberResource
) -> Versions:
    """What the settings in use would make of a drop."""
    return Versions(photo_cutter.load().version, embedder.load().embedder_id, describer.load().features_id)


def resources_from(settings: Settings) -> dict[str, Any]:
    """Every resource by its key."""
    return {
        "archive": ArchiveResource(bulk_root=str(settings.bulk)),
        "intake": IntakeResource(
            inbox=str(settings.inbox_dir),
            settle_s=settings.intake_settle_s,
            drop_max_documents=settings.drop_max_documents,
            drop_max_age_s=settings.drop_max_age_s,
            drops_per_look=settings.drops_per_tick,
            chunk_documents=settings.chunk_documents,
            bulk_drop_max_documents=settings.bulk_drop_max_documents,
            ignore=settings.intake_ignore,
        ),
        "sources": sources_from(settings),
        "reader": ReaderResource(
            max_file_bytes=settings.max_file_bytes,
            max_pages=settings.max_pages,
            max_page_px=settings.max_page_px,
            max_document_px=settings.max_document_px,
            memory_bytes=settings.decode_memory_bytes,
            timeout_s=settings.decode_timeout_s,
            timeout_per_page_s=settings.decode_timeout_per_page_s,
            workers=settings.decode_workers,
        ),
        "photo_cutter": PhotoCutterResource(
            extractor=settings.photo_extractor,
            options=resolve_checkpoint(settings.photo_extractor_options, settings.models_dir),
            max_side_px=settings.photo_max_side_px,
            jpeg_quality=settings.photo_jpeg_quality,
            pages=page_selection(settings),
        ),
        "embedder": EmbedderResource(
            name=settings.embedder,
            options=settings.embedder_options,
            device=settings.device,
            batch_size=settings.embed_batch_size,
        ),
        "describer": DescriberResource(
            codebook=str(settings.words_codebook or ""),
            max_features=settings.max_features,
            workers=settings.decode_workers,
        ),
        "vector_store": VectorStoreResource(
            url=settings.qdrant_url or "",
            grpc_port=settings.qdrant_grpc_port,
            timeout_s=settings.qdrant_timeout_s,
            folder=str(settings.qdrant_dir),
            lock_timeout_s=settings.store_lock_timeout_s,
            alias=settings.collection_alias,
        ),
        "quality": QualityResource(
            max_rejected_share=settings.max_rejected_share,
            min_photos_per_document=settings.min_photos_per_document,
            max_photos_per_document=settings.max_photos_per_document,
            self_test_photos=settings.self_test_photos,
            self_test_warn=settings.self_test_warn,
            self_test_fail=settings.self_test_fail,
            min_graph_recall=settings.min_graph_recall,
        ),
        "search_defaults": SearchDefaultsResource(
            results_folder=str(settings.results_dir),
            match_probability=settings.match_probability,
            match_similarity=settings.match_similarity,
            flag_risk=settings.flag_risk,
            count_other_shots=settings.count_other_shots,
            form_picture_merchants=settings.form_picture_merchants,
            probability_model=str(settings.probability_model or ""),
            remove_columns=settings.remove_columns_from_results,
            similar_doc_flag_threshold=settings.similar_doc_flag_threshold,
            non_authentic_image_classes=settings.non_authentic_image_classes,
        ),
        "in_memory": dg.mem_io_manager,  # what one op hands to the next never reaches a disk
    }


@dg.definitions
def resources() -> dg.Definitions:
    """The resources of this home, and the executor that spares a process a step."""
    settings = load_settings()
    require_whole(settings.home)
    return dg.Definitions(resources=resources_from(settings), executor=dg.in_process_executor)
