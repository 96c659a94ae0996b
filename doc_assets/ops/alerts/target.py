"""Where alerts go, by the settings."""

from doc_assets.ops.alerts.webhook import Webhook
from doc_assets.settings import Settings


def webhook_from(settings: Settings) -> Webhook | None:
    """The webhook; None if alerts are off.

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
