"""``doc-assets send-test-alert``."""

from datetime import UTC, datetime

from doc_assets.errors import SettingsError
from doc_assets.ops.alerts.alert import trial_alert
from doc_assets.ops.alerts.target import webhook_from
from doc_assets.settings import Settings


def send_test_alert(settings: Settings) -> str:
    """Posts a test alert and returns the origin that took it.

    Raises:
        SettingsError: if alerts are off, or their address cannot be used.
        ServiceError: if it was not delivered.
    """
    webhook = webhook_from(settings)
    if webhook is None:
        raise SettingsError(
            "Alerts are off. Set DOC_ASSETS_ALERT_WEBHOOK_URL, and its origin in DOC_ASSETS_ALERT_WEBHOOK_ALLOWED."
        )
    webhook.post(trial_alert(datetime.now(UTC)))
    return webhook.origin
