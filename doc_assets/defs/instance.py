"""Where Dagster keeps its records."""

import dagster as dg


def places_of_records(instance: dg.DagsterInstance) -> set[str | None]:
    """URLs of the database servers with the instance's records; None among them if some are files in its folder."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    return {getattr(storage, "postgres_url", None) for storage in storages}
