"""What this program speaks to over HTTP, where the settings name it."""

import socket

from doc_assets.errors import SettingsError
from doc_assets.ops.alerts import webhook_from
from doc_assets.ops.doctor.check import Check, Finding, green, red
from doc_assets.settings import Settings

_ANSWER_WITHIN_S = 10
_MAX_SHOWN = 300


def neighbour_checks(settings: Settings) -> list[Check]:
    """Checks of the alerts' webhook and of the own document API."""
    return [
        Check("alerts", "webhook", lambda: check_webhook(settings)),
        Check("document API", "own", lambda: check_image_api(settings)),
    ]


def check_webhook(settings: Settings) -> Finding:
    """Whether the address may be used and its host takes connections; nothing is sent."""
    try:
        webhook = webhook_from(settings)
    except SettingsError as error:
        return red(str(error), "Correct DOC_ASSETS_ALERT_WEBHOOK_URL or DOC_ASSETS_ALERT_WEBHOOK_ALLOWED.")
    if webhook is None:
        return green("off, DOC_ASSETS_ALERT_WEBHOOK_URL is not set")
    try:
        socket.create_connection(webhook.address, _ANSWER_WITHIN_S).close()
    except OSError as error:
        return red(
            f"{webhook.origin} cannot be reached: {error}",
            "Start it or open the way to it; alerts about failed runs wait until then.",
        )
    return green(f"{webhook.origin} takes connections (`doc-assets send-test-alert` sends a test)")


def check_image_api(settings: Settings) -> Finding:
    """Whether the document API that this home serves says that it is well."""
    import httpx

    url = settings.image_api_url.rstrip("/")
    if not url:
        return green("not asked, DOC_ASSETS_IMAGE_API_URL is not set")
    fix = "Start `doc-assets serve-images` (profile api of the stack), or correct DOC_ASSETS_IMAGE_API_URL."
    try:
        with httpx.Client(timeout=_ANSWER_WITHIN_S, follow_redirects=False, trust_env=False) as client:
            answer = client.get(f"{url}/healthz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return red(f"{url} does not answer: {type(error).__name__}: {error}", fix)
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return red(
            f"{url} is failing: {answer.text[:_MAX_SHOWN]}", "Bring back the archive folder or key table it names."
        )
    if not answer.is_success:
        return red(f"{url}/healthz answered {answer.status_code}", fix)
    return green(f"{url} answers")
