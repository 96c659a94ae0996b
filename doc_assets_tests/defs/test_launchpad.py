"""What people see in Dagster's UI before and after a launch."""

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import JobDataSnap

from doc_assets.definitions import defs
from doc_assets.defs.links import cases_link, desk_link
from doc_assets.defs.search import LAUNCHPAD, SearchConfig
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings

OP = "match_query_documents"


@pytest.fixture(scope="module")
def search_job():
    return defs().resolve_job_def("search_documents_job")


def test_the_launchpad_opens_with_the_ten_options_that_people_use(search_job):
    (preset,) = JobDataSnap.from_job_def(search_job, include_parent_snapshot=False).active_presets

    shown = preset.run_config["ops"][OP]["config"]
    assert tuple(shown) == LAUNCHPAD
    assert len(LAUNCHPAD) == 10
    assert all(value == SearchConfig.model_fields[name].get_default() for name, value in shown.items())
    dg.validate_run_config(search_job, preset.run_config)


def test_run_configs_may_go_on_holding_every_option(search_job):
    every = SearchConfig(folder="/in", top_k=3, verify=False, photo_extractor_options={"a": 1}).model_dump()

    dg.validate_run_config(search_job, {"ops": {OP: {"config": every}}})
    dg.validate_run_config(search_job, {})
    with pytest.raises(dg.DagsterInvalidConfigError, match="top_kk"):
        dg.validate_run_config(search_job, {"ops": {OP: {"config": {"top_kk": 3}}}})


@pytest.mark.parametrize("config", [None, {"ops": {OP: {"config": {"top_doc": 3}}}}])
def test_an_untouched_launch_says_what_to_fill_in(search_job, tmp_path, config):
    home = Runtime(Settings(home=tmp_path / "home", log_dir=tmp_path / "log"))

    with dg.DagsterInstance.ephemeral() as instance:
        done = search_job.execute_in_process(
            config, instance=instance, resources={"runtime": home}, raise_on_error=False
        )
        (failed,) = done.get_step_failure_events()

    said = failed.step_failure_data.user_failure_data.description
    assert said.startswith("Nothing was searched for, because nothing was named.")
    for option in ("folder", "files", "key_table"):
        assert f"`{option}`" in said
    assert "--" not in said  # no options of the command line
    assert failed.step_failure_data.error.cause is None
    assert not home.settings.home.exists()


def test_links_lead_to_the_desk_where_one_is_set(tmp_path):
    with_desk = Settings(home=tmp_path, desk_url="https://desk.example.org/review/")

    assert desk_link(with_desk, "reports/2026-11").value == "https://desk.example.org/review/reports/2026-11"
    assert cases_link(Runtime(with_desk), "20261121-0930-0001")["cases"].value == (
        "https://desk.example.org/review/?drop=20261121-0930-0001"
    )
    assert desk_link(Settings(home=tmp_path), "reports/2026-11") is None
    assert cases_link(Runtime(Settings(home=tmp_path)), "x") == {}
