"""Resource: where documents come from beside the drop folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from doc_assets.settings import Settings, load_settings
from doc_assets.sources.dates import DateRule
from doc_assets.sources.document_api import ApiOptions
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyOf, KeyRow, TableLayout, keys_in
from doc_assets.sources.open_sources import OpenSources, SourceRequest, SourceRules, open_sources


class SourcesResource(dg.ConfigurableResource[SourceRules]):
    """Key tables, the archive folders and the document API that their keys are looked up in."""

    index: str = Field(description="SQLite file of the index of archive folders.")
    failed_log: str = Field(description="File of the requests that the document API could not answer ...")
    failed_log_bytes: int = Field(ge=1, description="... which is closed at this size.")
    key_table: str = Field(description="Key table that says whose documents are; empty for none.")
    key_column: str = Field(description="Column that names documents.")
    merchant_column: str = Field(description="Column that names merchants.")
    field_columns: list[str] = Field(description="Columns that travel with documents and results.")
    date_columns: list[str] = Field(description="Columns that say when documents were received.")
    date_name_patterns: list[str] = Field(description="Regular expressions of the date in a document's name.")
    timezone: str = Field(description="Time zone of the days on which documents arrive.")
    sheet: str = Field(description="Sheet of workbooks, by name or place from 1; empty for the first.")
    tail_len: int = Field(ge=0, description="A key's files carry a token before its last n characters ...")
    insert_token: str = Field(description="... this one ...")
    glob_suffix: str = Field(description="... and what this glob says behind.")
    search_roots: list[str] = Field(description="Archive folders that keys are looked up in.")
    any_depth: bool = Field(description="Whether files below their subfolders count.")
    api_url: str = Field(description="Document API that keys are asked of; empty for none.")
    api_payload: Literal["base64", "url", "binary"] = Field(description="How it answers.")
    api_image_field: str = Field(description="Field of the base64 text.")
    api_url_field: str = Field(description="Field of the address.")
    api_name_field: str = Field(description="Field of the file's name.")
    api_params: dict[str, str] = Field(description="Further parameters: key table column -> parameter.")
    api_timeout_s: float = Field(gt=0, description="Limit of one request.")
    api_tries: int = Field(ge=1, description="Tries per key.")
    api_workers: int = Field(ge=1, description="Requests side by side.")
    ignore: list[str] = Field(description="Further name patterns to ignore.")

    def rules(self) -> SourceRules:
        """The rules as the domain takes them."""
        return SourceRules(
            index=Path(self.index),
            failed_log=Path(self.failed_log),
            failed_log_bytes=self.failed_log_bytes,
            layout=TableLayout(
                self.key_column,
                self.merchant_column,
                tuple(self.field_columns),
                self.sheet,
                tuple(self.date_columns),
            ),
            naming=NameRule(self.tail_len, self.insert_token, self.glob_suffix),
            roots=tuple(self.search_roots),
            any_depth=self.any_depth,
            api=self._api(),
            key_table=Path(self.key_table) if self.key_table else None,
            ignore=tuple(self.ignore),
        )

    def dates(self) -> DateRule:
        """Where documents' dates stand."""
        return DateRule(tuple(self.date_columns), tuple(self.date_name_patterns), self.timezone)

    def key_of(self) -> KeyOf:
        """Document id -> row of the key table as it is now."""
        rules = self.rules()
        return keys_in(rules.key_table, rules.layout, rules.naming)

    @contextmanager
    def open(
        self,
        asked: SourceRequest,
        known: Callable[[KeyRow], bool] = lambda _: False,
        *,
        files_are_named: bool = False,
    ) -> Iterator[OpenSources]:
        """The sources of a request."""
        with open_sources(self.rules(), asked, known, files_are_named=files_are_named) as sources:
            yield sources

    def _api(self) -> ApiOptions:
        key = load_settings().document_api_key
        return ApiOptions(
            url=self.api_url,
            key=key.get_secret_value() if key else "",
            payload=self.api_payload,
            image_field=self.api_image_field,
            url_field=self.api_url_field,
            name_field=self.api_name_field,
            params=self.api_params,
            timeout_s=self.api_timeout_s,
            tries=self.api_tries,
        )


def sources_from(settings: Settings) -> SourcesResource:
    """The resource of these settings."""
    return SourcesResource(
        index=str(settings.home / "file_index.sqlite"),
        failed_log=str(settings.log_dir / "failed_requests.log"),
        failed_log_bytes=settings.log_max_bytes,
        key_table=str(settings.key_table or ""),
        key_column=settings.key_column,
        merchant_column=settings.key_merchant_column,
        field_columns=settings.key_fields,
        date_columns=settings.key_date_columns,
        date_name_patterns=settings.date_name_patterns,
        timezone=settings.timezone,
        sheet=settings.key_sheet,
        tail_len=settings.key_tail_len,
        insert_token=settings.key_insert_token,
        glob_suffix=settings.key_glob_suffix,
        search_roots=settings.search_roots,
        any_depth=settings.search_any_depth,
        api_url=settings.document_api_url,
        api_payload=settings.document_api_payload,
        api_image_field=settings.document_api_image_field,
        api_url_field=settings.document_api_url_field,
        api_name_field=settings.document_api_name_field,
        api_params=settings.document_api_params,
        api_timeout_s=settings.document_api_timeout_s,
        api_tries=settings.document_api_tries,
        api_workers=settings.document_api_workers,
        ignore=settings.intake_ignore,
    )
