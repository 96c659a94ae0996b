"""Backups by Dagster: off until a folder is named, and thin."""

import dagster as dg

from doc_assets.ops.backup.manifest import backups_in


def _schedule():
    from doc_assets.defs.backup import backups

    (found,) = backups().schedules
    return found


def test_the_schedule_is_on_where_a_folder_is_named(monkeypatch, tmp_path):
    assert _schedule().default_status == dg.DefaultScheduleStatus.STOPPED

    monkeypatch.setenv("DOC_ASSETS_BACKUP_DIR", str(tmp_path))
    monkeypatch.setenv("DOC_ASSETS_BACKUP_CRON", "15 1 * * 0")
    assert _schedule().default_status == dg.DefaultScheduleStatus.RUNNING
    assert _schedule().cron_schedule == "15 1 * * 0"


def test_the_job_makes_a_backup_and_keeps_as_many_as_the_settings_say(place, monkeypatch):
    from doc_assets.defs.backup import backup_job

    for name, value in place.environment.items():
        if name.startswith("DOC_ASSETS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOC_ASSETS_BACKUP_DIR", str(place.backups))
    monkeypatch.setenv("DOC_ASSETS_BACKUP_KEEP", "1")
    first = place.backup()

    done = backup_job.execute_in_process()

    assert done.success
    (made,) = backups_in(place.backups)
    assert made != first
    place.done("verify-backup", made)


def test_without_a_folder_the_job_says_what_is_missing(place, monkeypatch):
    from doc_assets.defs.backup import backup_job

    monkeypatch.setenv("DOC_ASSETS_HOME", str(place.home))
    done = backup_job.execute_in_process(raise_on_error=False)

    assert not done.success
    (failure,) = [event for event in done.all_events if event.is_step_failure]
    assert "DOC_ASSETS_BACKUP_DIR" in str(failure.step_failure_data)
