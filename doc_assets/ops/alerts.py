"""Alerts about failed runs, posted to one address: the run, its step, the kind of error; nothing of what was read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from doc_assets.errors import ServiceError, SettingsError
from doc_assets.settings import Settings

_SENDER = "doc_assets"
_PORTS = {"http": 80, "https": 443}


def alert(kind: str, text: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON takes
    """The JSON object of an alert; ``text`` is a line for people, which chat systems show."""
    return {"sender": _SENDER, "kind": kind, "text": f"{_SENDER}: {text}", **fields}


def make_test_alert(now: datetime) -> dict[str, Any]:
    """The JSON object that ``send-test-alert`` posts."""
    return alert("test", "this is a test of alerts; nothing failed.", sent_at=timestamp(now))


def timestamp(when: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return when.astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address that alerts are posted to.

    Only allowed origins are spoken to, redirects are not followed and proxies of the environment not used: a mistyped
    or changed address must not carry anything elsewhere.

    Attributes:
        url: the address.
        allowed: origins that it may have: scheme, host and port.
        token: sent as a bearer token; empty for none.
        timeout_s: of a request.

    Raises:
        SettingsError: if the address is none, or its origin is not allowed.
    """

    url: str = field(repr=False)  # chat systems hide a key in the path
    allowed: Sequence[str]
    token: str = field(default="", repr=False)
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        origin = _origin(self.url, "DOC_ASSETS_ALERT_WEBHOOK_URL")
        if origin not in {_origin(one, "DOC_ASSETS_ALERT_WEBHOOK_ALLOWED") for one in self.allowed}:
            raise SettingsError(
                f"DOC_ASSETS_ALERT_WEBHOOK_URL leads to {self.origin}, which DOC_ASSETS_ALERT_WEBHOOK_ALLOWED does not "
                f'name. If alerts may go there, set it to ["{self.origin}"].'
            )

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address; what may be shown of it."""
        scheme, host, port = _origin(self.url, "DOC_ASSETS_ALERT_WEBHOOK_URL")
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}" + ("" if port == _PORTS[scheme] else f":{port}")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return _origin(self.url, "DOC_ASSETS_ALERT_WEBHOOK_URL")[1:]

    def post(self, alert: dict[str, Any]) -> None:
        """Delivers an alert in one request; any status from 200 to 299 counts, the body is not read.

        Raises:
            ServiceError: if it was not delivered; it may be tried again.
        """
        import httpx

        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            with (
                httpx.Client(timeout=self.timeout_s, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", self.url, json=alert, headers=headers) as response,
            ):
                problem = "" if response.is_success else f"it answered {response.status_code}"
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}".removesuffix(": ")
        if problem:
            raise ServiceError(
                f"An alert was not delivered to {self.origin}: {problem}. Check DOC_ASSETS_ALERT_WEBHOOK_URL and "
                "_TOKEN, then `doc-assets send-test-alert`."
            )


def webhook_from(settings: Settings) -> Webhook | None:
    """The webhook of the settings; None if alerts are off.

    Raises:
        SettingsError: if its address cannot be used.
    """
    if not settings.alert_webhook_url:
        return None
    token = settings.alert_webhook_token
    return Webhook(
        settings.alert_webhook_url,
        tuple(settings.alert_webhook_allowed),
        token.get_secret_value() if token else "",
        settings.alert_timeout_s,
    )


def _origin(url: str, setting: str) -> tuple[str, str, int]:
    """Scheme, host and port.

    Raises:
        SettingsError: if it is no address of the web, or carries a user.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{setting} is no address: {error}.") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or not url.isprintable():
        raise SettingsError(
            f"{setting} must be an address such as https://alerts.example.org/hook, without user and password."
        )
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
