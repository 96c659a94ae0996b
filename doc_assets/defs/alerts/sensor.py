"""The sensor that posts an alert for every failed run.

Dagster's own run failure sensor goes on when its function fails, so an alert that could not be delivered would be
lost; this one moves its cursor only past what was delivered.
"""

import time

import dagster as dg

from doc_assets.defs.alerts.failures import failures_after, last_failure_id
from doc_assets.errors import ServiceError
from doc_assets.ops.alerts.alert import failure_alert
from doc_assets.ops.alerts.webhook import webhook_from
from doc_assets.settings import load_settings

_MOST_AT_A_TICK = 50
_BUDGET_S = 20.0
"""After which no further alert is begun: a tick may take a minute, and the last alert three tries of 10 s at most."""


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts an alert for every failed run to DOC_ASSETS_ALERT_WEBHOOK_URL; what cannot be delivered turns "
    "the tick red and is tried again with the next one. Without that address it does nothing.",
)
def failure_alert_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Looks at runs that failed since the last delivered alert; never asks for a run."""
    settings = load_settings()
    webhook = webhook_from(settings)
    if webhook is None:
        context.update_cursor("")  # what fails while it is off is never told
        return dg.SkipReason("Alerts are off: DOC_ASSETS_ALERT_WEBHOOK_URL is not set.")
    if not context.cursor:
        context.update_cursor(str(last_failure_id(context.instance)))
        return dg.SkipReason("Alerts begin with the next failed run.")
    delivered, until = 0, time.monotonic() + _BUDGET_S
    for number, failure in failures_after(context.instance, int(context.cursor), _MOST_AT_A_TICK):
        try:
            webhook.post(failure_alert(failure, settings.ui_url))
        except ServiceError as error:
            context.log.error("The alert about run %s waits: %s", failure.run_id, error)  # noqa: TRY400
            if not delivered:
                raise
            return dg.SkipReason(f"{delivered} alerts were delivered, the next is tried again: {error}")
        context.update_cursor(str(number))
        delivered += 1
        if time.monotonic() > until:
            break
    return dg.SkipReason(f"{delivered} alerts were delivered." if delivered else "No run failed.")
