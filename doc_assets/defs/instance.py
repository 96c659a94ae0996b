"""Dagster's instance of a home."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from doc_assets.util.files import exclusive


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of the prepared home.

    Commands that start together in a new home would find each other's half-made tables, so they make them in turn.
    """
    with exclusive(Path(os.environ["DAGSTER_HOME"]) / ".opening.lock"):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def places_of_records(instance: dg.DagsterInstance) -> set[str | None]:
    """URLs of the database servers with the instance's records; None among them if some are files in its folder."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    return {getattr(storage, "postgres_url", None) for storage in storages}
