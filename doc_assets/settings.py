"""All settings in one typed object, read from the environment and ``.env``.

Every variable starts with ``DOC_ASSETS_`` and stands in ``.env.example``; an unknown one is refused,
because a misspelt limit that is silently ignored is worse than a stop.
"""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath

from doc_assets.errors import SettingsError
from doc_assets.sources.date_defaults import DATE_COLUMNS, NAME_PATTERNS

PREFIX = "DOC_ASSETS_"
ENV_FILE = ".env"
MACHINE_DIR = Path("/etc/doc-assets")
"""Settings of a whole machine or container: ``settings.env``, and ``secrets/`` with one file named like its variable in
small letters. ``.env`` and the environment win over both."""


class MadeByInit:
    """Marks a secret that this program itself asks of others, so that ``doc-assets init`` may generate it.

    A secret of somebody else's server is known to that server only; a generated one would lock this program out.
    """


OwnSecret = Annotated[SecretStr | None, MadeByInit()]
Share = Annotated[float, Field(ge=0, le=1)]


def own_secrets() -> list[str]:
    """The settings that ``doc-assets init`` generates a secret for, by declaration, whatever they are called."""
    return [
        name
        for name, field in Settings.model_fields.items()
        if any(isinstance(mark, MadeByInit) for mark in field.metadata)
    ]


class Settings(BaseSettings):
    """What an operator can change; see ``.env.example`` for the same list with examples."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )

    # --- where state lives
    home: Path = Field(Path("appdata"), description="Folder of all state; two homes never mix.")
    log_dir: Path = Field(Path("applog"), description="Folder of log files.")
    bulk_root: str | None = Field(
        None, description="Folder or fsspec URL (s3://...) of documents, photos and embeddings; default: the home."
    )
    inbox: Path | None = Field(None, description="Drop folder the sensor watches; default: <home>/inbox.")
    ledger_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the ledger; default: <home>/ledger.sqlite."
    )

    # --- logs and what is kept
    log_format: Literal["console", "json"] = Field("console", description="Logs as lines for people or JSON.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least important lines that are written to the log file."
    )
    log_max_bytes: int = Field(20 << 20, ge=1 << 16, description="A log file is closed at this size.")
    keep_logs_days: int = Field(30, ge=0, description="Logs older than this go; 0 keeps them for ever.")
    keep_results_days: int = Field(
        365, ge=0, description="Reports and evidence older than this go; 0 keeps them for ever."
    )
    keep_superseded_days: int = Field(
        30, ge=0, description="Copies of replaced and rejected documents older than this go; 0 keeps them."
    )

    # --- intake
    intake_interval_s: int = Field(30, ge=1, description="Seconds between two looks at the inbox.")
    intake_settle_s: float = Field(
        10.0, ge=0, description="A file has arrived when its size and time stood still this long."
    )
    intake_ignore: list[str] = Field([], description="Further name patterns to ignore, as a JSON list of globs.")
    drop_max_documents: int = Field(2000, ge=1, description="Seal a drop at this many documents ...")
    drop_max_age_s: float = Field(900.0, ge=0, description="... or when its oldest file arrived this long ago.")
    drops_per_tick: int = Field(10, ge=1, description="At most this many drops sealed in one look.")
    bulk_drop_max_documents: int = Field(
        10_000, ge=1, description="Documents a drop when a folder is ingested on the command line."
    )
    chunk_documents: int = Field(
        128, ge=1, description="Documents that are committed together; what a killed run repeats."
    )

    # --- key tables and where their documents are
    key_table: Path | None = Field(
        None,
        description="Table (.xlsx, .csv, .tsv, .json, .ndjson) that says whose dropped documents are; default: none.",
    )
    key_column: str = Field("파일명", min_length=1, description="Column of key tables that names documents.")
    key_merchant_column: str = Field("사업자등록번호", description="Column that names merchants.")
    key_fields: list[str] = Field(
        ["가맹점상호명", "업종명", "구분", "사업자등록번호", "수신일자"],
        description="Columns that travel with documents and results, as a JSON list.",
    )
    key_date_columns: list[str] = Field(
        list(DATE_COLUMNS),
        description="Columns that say when documents were received, as a JSON list; the first filled one counts.",
    )
    date_name_patterns: list[str] = Field(
        list(NAME_PATTERNS),
        description="Regular expressions of the date in a document's name, as a JSON list; tried in turn.",
    )
    key_sheet: str = Field("", description="Sheet of workbooks, by name or place from 1; default: the first.")
    key_tail_len: int = Field(5, ge=0, description="A key's files carry a token before its last n characters ...")
    key_insert_token: str = Field("001", description="... this one ...")
    key_glob_suffix: str = Field("_*.tif", description="... and what this glob says behind.")
    search_roots: list[str] = Field(
        [], description="Archive folders (or fsspec URLs) that keys are looked up in, as a JSON list."
    )
    search_any_depth: bool = Field(True, description="Whether files below their subfolders count.")
    key_inbox: Path | None = Field(
        None,
        description="Key tables dropped into its folders ingest and search are worked off; default: <home>/key_tables.",
    )
    key_retry_s: float = Field(
        3600.0, ge=1, description="A table of which a key had no document is tried again after this."
    )
    document_api_url: str = Field("", description="Document API that keys are asked of: http://host/images.")
    document_api_key: SecretStr | None = Field(None, description="Sent to it as X-API-Key.")
    document_api_payload: Literal["base64", "url", "binary"] = Field(
        "base64", description="How it answers: base64 in JSON, an address in JSON, or the file itself."
    )
    document_api_image_field: str = Field("image_b64", description="Field of the base64 text.")
    document_api_url_field: str = Field("image_url", description="Field of the address.")
    document_api_name_field: str = Field("server_filename", description="Field of the file's name.")
    document_api_params: dict[str, str] = Field(
        {}, description="Further parameters: key table column -> parameter, as a JSON object."
    )
    document_api_timeout_s: float = Field(30.0, gt=0, description="Limit of one request.")
    document_api_tries: int = Field(3, ge=1, description="Tries a key; an unknown key is asked for once.")
    document_api_workers: int = Field(4, ge=1, le=64, description="Requests side by side.")

    # --- the document API that this program serves
    image_api_key: OwnSecret = Field(
        None, description="Requests must carry it as X-API-Key; needed to serve other machines."
    )
    image_api_rate: str = Field(
        "100/second", description="Requests a client address, or a key, may make of it and of the desk's API."
    )
    image_api_connections: int = Field(64, ge=1, description="Requests answered at a time.")
    image_api_refresh_s: float = Field(60.0, ge=1, description="Seconds between two looks at the folders.")
    image_api_url: str = Field("", description="Where it is served, http://host:5001; doctor asks it how it is.")

    # --- being watched
    metrics_refresh_s: float = Field(30.0, gt=0, description="serve-metrics reads a source once in this.")
    metrics_timeout_s: float = Field(3.0, gt=0, description="Limit of one scrape.")
    alert_webhook_url: str = Field("", description="Gets a POST with JSON for every failed run; empty: off.")
    alert_webhook_allowed: list[str] = Field(
        [], description="Origins that address may have (https://alerts.example.org), as a JSON list."
    )
    alert_webhook_token: SecretStr | None = Field(None, description="Sent to it as a bearer token.")
    alert_timeout_s: float = Field(5.0, gt=0, le=10, description="Limit of one try to post an alert.")
    ui_url: str = Field(
        "", description="Address of Dagster's UI as people open it, for links in alerts and the review desk."
    )

    # --- reading documents
    max_file_bytes: int = Field(1 << 30, ge=1, description="Larger files are rejected.")
    max_pages: int = Field(5000, ge=1, description="Documents with more pages are rejected.")
    max_page_px: int = Field(150_000_000, ge=1, description="Larger pages are rejected (A0 at 300 dpi).")
    max_document_px: int = Field(20_000_000_000, ge=1, description="Pixel budget of a whole document.")
    decode_memory_bytes: int = Field(
        3 << 29,
        ge=1 << 26,
        description="Memory a decoder child may take beyond its start; a colour page of the largest size needs 1.1 GB.",
    )
    decode_timeout_s: float = Field(5.0, gt=0, description="Time limit of a document ...")
    decode_timeout_per_page_s: float = Field(1.0, gt=0, description="... plus this for every page.")
    decode_workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="Documents decoded side by side."
    )

    # --- photos
    photo_extractor: str = Field("layout", description="layout, template or detector.")
    photo_extractor_options: dict[str, Any] = Field({}, description="Options of that extractor as a JSON object.")
    photo_max_side_px: int = Field(1024, ge=64, description="Stored photos are scaled down to this.")
    photo_jpeg_quality: int = Field(90, ge=1, le=100, description="JPEG quality of stored photos.")

    # --- pages by text
    page_selector: Literal["photos", "text"] = Field(
        "photos", description="photos: look for photos on every page; text: only where page_text_wanted stands."
    )
    page_text_wanted: str = Field("가맹점 실사 사진", description="Text of the pages that show photos.")
    page_text_mode: Literal["exact_phrase", "all_words"] = Field(
        "exact_phrase", description="The wanted text in one piece, or every word of it anywhere."
    )
    page_text_zones: list[str] = Field(
        ["top=0.15"],
        description="Where it stands: top, bottom or centre and a share of the page's height; tried in turn.",
    )
    page_text_max_errors: int = Field(
        1, ge=0, description="Letters of it that may be misread; never more than one in six."
    )
    page_text_engine: str = Field("tesseract", description="What reads text: tesseract.")
    page_text_engine_options: dict[str, Any] = Field({}, description="Options of that engine as a JSON object.")
    page_text_timeout_s: float = Field(
        10.0, gt=0, description="CPU seconds that reading a zone of a page in one turn may take."
    )

    # --- embedding
    embedder: str = Field("gist", description="Of a new archive: gist (built in) or transformers.")
    embedder_options: dict[str, Any] = Field({}, description="Options of that embedder as a JSON object.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where models run.")
    gpu_run_tags: dict[str, Any] = Field(
        {},
        validation_alias=AliasChoices(f"{PREFIX}GPU_RUN_TAGS", f"{PREFIX}CARD_RUN_TAGS"),
        description="Tags of the jobs that embed, as a JSON object; on Kubernetes they ask for a GPU.",
    )
    embed_batch_size: int = Field(32, ge=1, description="Photos embedded together.")

    # --- local features
    words_codebook: Path | None = Field(None, description="Codebook of visual words; default: the package's.")
    max_features: int = Field(400, ge=50, description="Most keypoints of a photo.")

    # --- vector store
    qdrant_url: str | None = Field(
        None, description="Qdrant server (http://host:6333); default: embedded in <home>/qdrant."
    )
    qdrant_api_key: SecretStr | None = Field(None, description="API key of that server.")
    qdrant_grpc_port: int = Field(6334, ge=1, le=65535, description="gRPC port of that server.")
    qdrant_timeout_s: int = Field(60, ge=1, description="Limit of one request to that server.")
    store_lock_timeout_s: float = Field(600.0, ge=0, description="How long a run waits for the embedded store.")
    collection_alias: str = Field("photos", pattern=r"^[A-Za-z0-9_-]+$", description="Alias that searches use.")

    # --- search
    match_similarity: float = Field(
        0.7, ge=-1, le=1, description="Without verification, a photo pair at least this similar counts as matched."
    )
    match_probability: Share = Field(0.5, description="A verified photo pair at least this probable counts as matched.")
    probability_model: Path | None = Field(
        None, description="Model of photo pairs, made by fit-probability or refit_job; default: the package's."
    )
    use_calibration: bool = Field(
        True, description="Whether probabilities are recalibrated by what refit_job learnt from verdicts."
    )
    flag_risk: Share = Field(0.5, description="A document is flagged from this risk score on.")
    count_other_shots: bool = Field(
        False, description="Another shot of a scene counts as the photograph itself, instead of being shown only."
    )
    form_picture_merchants: int = Field(
        3,
        ge=2,
        description="So many known merchants show a picture at the same place of the page before it is taken for the "
        "form's, if it may be drawn, or offered to an operator, if it looks like a photograph.",
    )
    similar_doc_flag_threshold: float = Field(
        0.8, ge=-1, le=1, description="Of the earlier system's rule: a document this similar speaks for fraud."
    )
    non_authentic_image_classes: list[str] = Field(
        [], description="Of the same rule: classes that speak for fraud, as a JSON list."
    )
    remove_columns_from_results: list[str] = Field(
        [], description="Columns left out of result files and exports, as a JSON list."
    )

    # --- review desk
    desk_secret: SecretStr | None = Field(
        default=None, description="Signs the desk's cookies; on this machine a file of the home does it."
    )
    desk_proxy_secret: SecretStr | None = Field(
        default=None, description="What a proxy in front sends as X-Desk-Proxy; the desk answers nobody else then."
    )
    desk_hosts: list[str] = Field(
        default_factory=list, description="Names by which browsers reach the desk, as a JSON list."
    )
    desk_forward_sign_in: bool = Field(
        default=False, description="Whether the proxy in front signs people in and names them as X-Desk-User."
    )
    dagster_url: str = Field(
        default="",
        description="Dagster's webserver as the desk reaches it, http://host:3000; it runs the desk's searches. Empty: "
        "the desk runs them itself.",
    )
    desk_upload_max_bytes: int = Field(
        default=64 << 20, ge=1 << 16, description="Bytes of all files that somebody searches for at once."
    )
    desk_upload_files: int = Field(default=10, ge=1, le=100, description="Files that somebody searches for at once.")
    desk_upload_pages: int = Field(default=50, ge=1, description="Pages that each of these files may have.")
    desk_waiting_files: int = Field(
        default=20, ge=1, description="Files of one person's searches that may wait or be worked on at a time."
    )
    keep_uploads_hours: int = Field(
        default=24, ge=1, description="A file for a search leaves after this, even if its run never ended."
    )
    review_second_for_fraud: bool = Field(
        default=True, description="A case in which somebody says fraud goes to a second person, who does not see it."
    )
    review_second_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of the other decided cases that a second person judges as well."
    )
    review_lease_minutes: float = Field(
        default=10.0, gt=0, le=240, description="How long a case that somebody opened is kept from others."
    )

    desk_url: str = Field("", description="Address of the desk as people open it, for links in Dagster's UI.")

    # --- the lead's report
    report_sender_column: str = Field(
        "", description="Column of key tables that names who sent a document; default: the source of its drop."
    )
    report_group_columns: list[str] = Field(
        ["지점", "조사자"],
        description="Columns of key tables whose values are compared (branch, inspector), as a JSON list; "
        "DOC_ASSETS_KEY_FIELDS must name them too.",
    )
    report_cron: str = Field("0 6 * * *", description="When yesterday's report is made.")
    report_month_cron: str = Field("30 6 1 * *", description="When last month's report is made.")

    # --- backups
    backup_dir: Path | None = Field(
        None, description="Folder of backups; with it the schedule of backups is on. Default: none."
    )
    backup_bulk: Literal["copy", "reference"] = Field(
        "copy", description="Copy documents and tables into backups, or only list them with their digests."
    )
    backup_keep: int = Field(7, ge=0, description="Older backups than the newest n go; 0 keeps all.")
    backup_keep_days: int = Field(0, ge=0, description="Backups older than this go; 0 keeps them.")
    backup_cron: str = Field("30 4 * * *", description="When a backup is made, with DOC_ASSETS_BACKUP_DIR.")

    # --- schedules
    reindex_cron: str = Field("0 2 * * *", description="When missing or stale drops are processed again.")
    maintenance_cron: str = Field("30 3 * * *", description="When what is too old to be kept goes.")
    timezone: str = Field(
        "Asia/Seoul", description="Time zone of the schedules and of the days on which documents arrive."
    )

    # --- checks
    max_rejected_share: Share = Field(0.05, description="The check rejected_share_is_low fails above this.")
    max_photos_per_document: float = Field(
        20.0, gt=0, description="The check photos_per_document_in_range warns above this mean ..."
    )
    min_photos_per_document: float = Field(0.5, ge=0, description="... and below this mean.")
    self_test_photos: int = Field(
        13, ge=0, description="Attacked copies that planted_copy_is_found searches for after each drop."
    )
    self_test_warn: Share = Field(0.95, description="It warns below this share of found copies ...")
    self_test_fail: Share = Field(0.8, description="... and fails below this one.")
    min_graph_recall: Share = Field(0.95, description="The check ann_agrees_with_exact fails below this.")

    @field_validator("home", "log_dir", "inbox", "key_inbox", "key_table", "backup_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("date_name_patterns")
    @classmethod
    def _patterns(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return value

    @field_validator("remove_columns_from_results")
    @classmethod
    def _removable(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if not value:
            return value
        from doc_assets.reports.export_rows import require_removable  # noqa: PLC0415 - only where columns are named

        try:
            require_removable(value, info.data.get("key_fields", ()))
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return value

    def changed(self, **values: Any) -> "Settings":  # noqa: ANN401 - the fields
        """The same settings with other values.

        Raises:
            SettingsError: if one is out of range.
        """
        return _checked({**dict(self), **values, "_env_file": None})

    @cached_property
    def bulk(self) -> UPath:
        """Root of staged documents, photos and embeddings; local or any fsspec URL."""
        return UPath(self.bulk_root) if self.bulk_root else UPath(self.home)

    @property
    def inbox_dir(self) -> Path:
        """The drop folder."""
        return self.inbox or self.home / "inbox"

    @property
    def key_inbox_dir(self) -> Path:
        """Where key tables are dropped."""
        return self.key_inbox or self.home / "key_tables"

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME of every command and service of this home."""
        return self.home / "dagster"

    @property
    def qdrant_dir(self) -> Path:
        """The embedded vector store."""
        return self.home / "qdrant"

    @property
    def results_dir(self) -> Path:
        """Default folder of search results."""
        return self.home / "results"

    @property
    def models_dir(self) -> Path:
        """Models that an operator added, and weights fitted on the archive."""
        return self.home / "models"

    @property
    def forgotten_key(self) -> Path:
        """Key by which forgotten documents are known again."""
        return self.home / "forgotten.key"

    @property
    def accounts_file(self) -> Path:
        """People of the review desk and their sessions, unless the ledger and they are in PostgreSQL."""
        return self.home / "accounts.sqlite"

    @property
    def desk_key(self) -> Path:
        """Signs the desk's cookies where no secret is set."""
        return self.home / "desk.key"

    @property
    def uploads_dir(self) -> Path:
        """Files that people of the review desk search for, until their search has ended."""
        return self.home / "uploads"

    @property
    def ledger_address(self) -> str:
        """SQLAlchemy URL of the ledger, with its password if it has one."""
        if self.ledger_url is not None:
            return self.ledger_url.get_secret_value()
        return f"sqlite:///{self.home / 'ledger.sqlite'}"


def variables_of(field: str) -> list[str]:
    """The environment variables that give a setting, its name of the version before last."""
    alias = Settings.model_fields[field].validation_alias
    return [str(name) for name in alias.choices] if isinstance(alias, AliasChoices) else [f"{PREFIX}{field.upper()}"]


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: if a variable is unknown or has a value out of range; names each one.
    """
    known = {variable for name in Settings.model_fields for variable in variables_of(name)}
    machine_file, secrets = MACHINE_DIR / "settings.env", MACHINE_DIR / "secrets"
    given = {**dotenv_values(machine_file), **dotenv_values(ENV_FILE), **os.environ}
    unknown = sorted(name for name in given if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}; .env.example lists the known ones. "
            "Correct its spelling or remove it from the environment or .env."
        )
    sources: dict[str, Any] = {"_env_file": (machine_file, ENV_FILE)}
    if secrets.is_dir():
        sources["_secrets_dir"] = secrets
    return _checked(sources)


def _checked(given: dict[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{str(fault['loc'][0]).upper().removeprefix(PREFIX)}={fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        )
        raise SettingsError(f"Settings out of range: {faults}. See .env.example.") from error
