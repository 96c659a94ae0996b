"""Runs of the command line in the Dagster instance of a home."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from doc_assets_tests.program import in_process, outside_environment
from doc_assets_tests.shared import PROJECT

pytestmark = pytest.mark.whole

OPEN_ON_SIGNAL = """
import sys
from doc_assets.defs.instance import open_instance
from doc_assets.ops.home import prepare_home
from doc_assets.settings import load_settings
settings = load_settings()
print("ready", flush=True)
sys.stdin.readline()
prepare_home(settings)
with open_instance() as instance:
    instance.add_dynamic_partitions("drops", [sys.argv[1]])
"""


def test_commands_that_start_together_in_a_new_home_all_find_its_tables(tmp_path):
    env = outside_environment()
    env |= {"DOC_ASSETS_HOME": str(tmp_path / "home"), "DOC_ASSETS_LOG_DIR": str(tmp_path / "log")}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_ON_SIGNAL, f"key-{i}"], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for i in range(4)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=120)[1] for process in started]

    assert [process.returncode for process in started] == [0] * 4, errors


RUNS_OF_A_JOB = """{ pipelineOrError(params: {
    pipelineName: "search_documents_job", repositoryName: "__repository__", repositoryLocationName: "doc_assets"
}) { ... on Pipeline { runs { status } } } }"""


@pytest.mark.slow
def test_a_run_of_the_command_line_is_on_its_jobs_page(tmp_path):
    """As the UI asks for the runs of a job."""
    env = outside_environment()
    env |= {"DOC_ASSETS_HOME": str(tmp_path / "home"), "DOC_ASSETS_LOG_DIR": str(tmp_path / "log")}
    (tmp_path / "empty").mkdir()
    in_process(["search-doc", "--folder", "empty", "--output-folder", "out"], tmp_path, env)

    program = str(Path(sys.executable).with_name("dagster-graphql"))
    asked = subprocess.run(
        [program, "--workspace", PROJECT / "workspace.yaml", "--text", RUNS_OF_A_JOB],
        env={**env, "DAGSTER_HOME": str(tmp_path / "home" / "dagster")}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    answer = next(json.loads(line) for line in asked.stdout.splitlines() if line.startswith('{"data"'))
    assert answer["data"]["pipelineOrError"] == {"runs": [{"status": "FAILURE"}]}
