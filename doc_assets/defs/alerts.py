"""The sensor that posts an alert for every failed run."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from doc_assets.errors import ServiceError, SettingsError
from doc_assets.ops.alerts import alert, timestamp, webhook_from
from doc_assets.settings import load_settings

_WRAPPERS = ("Failure", "RetryRequested")


class UndeliveredError(dg.DagsterError):
    """An alert could not be delivered.

    After any other error Dagster moves the sensor's cursor on, and the alert would be lost; errors of its own class end
    the tick before that, so the next tick begins with the same run.
    """


@dg.run_failure_sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitor_all_code_locations=True,  # runs of the command line belong to none
    description="Posts an alert for every failed run to DOC_ASSETS_ALERT_WEBHOOK_URL; what cannot be delivered turns "
    "the tick red and is tried again with the next one. Without that address it does nothing.",
)
def failure_alert_sensor(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Posts the alert about one failed run."""
    try:
        settings = load_settings()
        webhook = webhook_from(settings)
        if webhook is None:
            return dg.SkipReason("Alerts are off: DOC_ASSETS_ALERT_WEBHOOK_URL is not set.")
        webhook.post(_alert(context, settings.ui_url))
    except (ServiceError, SettingsError) as error:
        raise UndeliveredError(f"The alert about run {context.dagster_run.run_id} waits: {error}") from error
    return None


def _alert(context: dg.RunFailureSensorContext, ui_url: str) -> dict[str, Any]:
    """The alert about a failed run. Messages of errors stay out: they may name documents and folders.

    ``partition`` is the drop's key, ``step`` the first step that failed, ``error_class`` its kind of error (None if the
    run's process died), ``is_retried`` whether Dagster starts the run again by itself.
    """
    run = context.dagster_run
    failed = dg.DagsterEventType.RUN_FAILURE
    (ending,) = context.instance.get_records_for_run(run.run_id, of_type=failed, limit=1).records
    first = next(iter(context.get_step_failure_events()), None)
    step, error_class = (first.step_key, _error_class(first.step_failure_data)) if first else (None, None)
    is_retried = run.tags.get("dagster/will_retry") == "true"
    drop = f" of drop {context.partition_key}" if context.partition_key else ""
    where = f" in step {step}" if step else ""
    why = error_class or "its process ended"
    again = " It is tried again." if is_retried else ""
    return alert(
        "run_failed",
        f"{run.job_name}{drop} failed{where}: {why}.{again}",
        run_id=run.run_id,
        job=run.job_name,
        failed_at=timestamp(datetime.fromtimestamp(ending.timestamp, UTC)),
        partition=context.partition_key,
        step=step,
        error_class=error_class,
        is_retried=is_retried,
        link=f"{ui_url.rstrip('/')}/runs/{run.run_id}" if ui_url else None,
    )


def _error_class(failure: object) -> str | None:
    """The outermost class that is not a wrapper of Dagster's."""
    error = getattr(failure, "error", None)
    name: str | None = None
    while error is not None:
        name = str(error.cls_name or "").rpartition(".")[2] or name
        if name and name not in _WRAPPERS and not name.startswith("Dagster"):
            return name
        error = error.cause
    return name
