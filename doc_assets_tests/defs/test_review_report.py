"""The lead's report as an asset: its partitions, schedules and files."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from doc_assets.definitions import defs
from doc_assets.defs.review_report import last_month, yesterday
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings

pytestmark = pytest.mark.whole  # assets are materialized

SEOUL = ZoneInfo("Asia/Seoul")


def test_periods_are_those_of_the_site():
    assert yesterday(datetime(2026, 11, 28, 6, tzinfo=SEOUL)) == "2026-11-27"
    assert last_month(datetime(2026, 12, 1, 6, 30, tzinfo=SEOUL)) == "2026-11"
    assert last_month(datetime(2027, 1, 1, 6, 30, tzinfo=SEOUL)) == "2026-12"


@pytest.mark.parametrize(
    ("name", "at", "partition"),
    [
        ("review_report_schedule", datetime(2026, 11, 27, 21, tzinfo=UTC), "2026-11-27"),
        ("review_report_month_schedule", datetime(2026, 11, 30, 21, 30, tzinfo=UTC), "2026-11"),
    ],
)
def test_a_schedule_asks_for_the_period_before_in_the_sites_time_zone(name, at, partition):
    loaded = defs()
    schedule = loaded.resolve_schedule_def(name)

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance, scheduled_execution_time=at, repository_def=loaded.get_repository_def()
        )
        (asked,) = schedule.evaluate_tick(context).run_requests

    assert asked.partition_key == partition
    assert schedule.execution_timezone == "Asia/Seoul"
    job = loaded.resolve_job_def(schedule.job_name)
    assert partition in job.partitions_def.get_partition_keys(current_time=at)


@pytest.mark.parametrize(("name", "partition"), [("review_report", "2026-11-27"), ("review_report_month", "2026-10")])
@pytest.mark.parametrize("desk", ["", "https://desk.example.org/"])
def test_a_home_without_anything_gets_its_report(tmp_path, monkeypatch, name, partition, desk):
    monkeypatch.setenv("DOC_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOC_ASSETS_DESK_URL", desk)
    settings = Settings(home=tmp_path / "home", desk_url=desk)

    with dg.DagsterInstance.ephemeral() as instance:
        job = defs().resolve_job_def(f"{name}_job")
        done = job.execute_in_process(
            partition_key=partition, instance=instance, resources={"runtime": Runtime(settings)}, raise_on_error=True
        )
        (made,) = done.asset_materializations_for_node(name)

    folder = settings.results_dir / "review" / partition
    assert {path.name for path in folder.iterdir()} == {"review.html", "review.xlsx", "review.json"}
    wanted = f"https://desk.example.org/statistics/{partition}" if desk else str(folder / "review.html")
    assert made.metadata["report"].value == wanted
    assert made.metadata["documents"].value == 0
