"""Links from Dagster's UI to the review desk."""

from urllib.parse import urlencode

import dagster as dg

from doc_assets.runtime import Runtime
from doc_assets.settings import Settings


def desk_link(settings: Settings, path: str, **asked: str) -> dg.UrlMetadataValue | None:
    """A page of the desk; None if no address of it is set.

    Args:
        settings: with ``desk_url``.
        path: below the desk's address, without a leading slash.
        asked: what the page is asked, as of a form.
    """
    if not settings.desk_url:
        return None
    query = f"?{urlencode(asked)}" if asked else ""
    return dg.MetadataValue.url(f"{settings.desk_url.rstrip('/')}/{path}{query}")


def cases_link(runtime: Runtime, drop_key: str) -> dict[str, dg.UrlMetadataValue]:
    """Metadata that leads to a drop's cases in the queue of the desk; empty if no address of it is set."""
    link = desk_link(runtime.settings, "", drop=drop_key)
    return {"cases": link} if link else {}
