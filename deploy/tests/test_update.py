"""An update replaces the code while a run works; one that does not work is taken back, tables too."""

import os
import signal
import subprocess

import pytest

from deploy.tests.stack import Stack, wait_for
from doc_assets.lab.corpus import draw_corpus, plan_corpus

pytestmark = pytest.mark.more
IN_PROGRESS = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
REVISION = "SELECT version_num FROM alembic_version"
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
BROKEN = """
FROM {image}
USER root
RUN cd /app/doc_assets \\
 && printf 'revision = "9999"\\ndown_revision = "{revision}"\\nupgrade = downgrade = lambda: None\\n' \\
    >ledger/migrations/versions/9999_test.py \\
 && sed -i 's/^SCHEMA_REVISION = .*/SCHEMA_REVISION = "9999"/' ledger/database.py \\
 && printf 'import os\\nif "DOC_ASSETS_LEDGER_URL" in os.environ:\\n    raise RuntimeError("broken on purpose")\\n' \\
    >defs/broken.py
USER 10001:10001
"""


@pytest.fixture(scope="module")
def image(ingested: Stack) -> str:
    return str(ingested.config()["services"]["user-code"]["image"])


@pytest.fixture(scope="module")
def release(ingested: Stack, image):
    """Makes images of a release: the one of the code by a Dockerfile, the others as they are."""
    made: list[str] = []

    def make(tag: str, dockerfile: str) -> str:
        services = ingested.config()["services"].values()
        for name in {service["image"] for service in services if "build" in service}:
            target = f"{name.rsplit(':', 1)[0]}:{tag}"
            if name == image:
                ingested.run("docker", "build", "--quiet", "--tag", target, "-", given=dockerfile)
            else:
                ingested.run("docker", "tag", name, target)
            made.append(target)
        return tag

    yield make
    ingested.run("docker", "rmi", *made, check=False)


def image_of(stack: Stack, container: str) -> str:
    return str(stack.inspect(container)["Image"])


def id_of(stack: Stack, name: str) -> str:
    return stack.run("docker", "image", "inspect", "--format", "{{.Id}}", name).stdout.strip()


def update(stack: Stack, *options: str) -> subprocess.CompletedProcess[str]:
    return stack.run("deploy/update", *options, check=False, timeout_s=900)


def loads(stack: Stack) -> bool:
    entries = stack.graphql(LOCATIONS)["workspaceOrError"]["locationEntries"]
    return [entry["locationOrLoadError"]["__typename"] for entry in entries] == ["RepositoryLocation"] * len(entries)


def stop_or_continue(stack: Stack, container: str, sign: signal.Signals) -> None:
    for line in stack.run("docker", "top", container, "-eo", "pid,args").stdout.splitlines()[1:]:
        if "tini" not in line:
            os.kill(int(line.split()[0]), sign)


def indexed(stack: Stack, names: str) -> int:
    where = f"state = 'ok' AND id IN (SELECT row_id FROM indexed_documents) AND file_name IN ({names})"
    return int(stack.sql(f"SELECT count(*) FROM documents WHERE {where}")[0][0])


def test_a_run_outlives_an_update_and_the_way_back(ingested, image, release, tmp_path):
    draw_corpus(tmp_path, plan_corpus(4, [], seed=41), workers=2)
    files = sorted((tmp_path / "archive").iterdir())
    names = ", ".join(f"'{file.name}'" for file in files)
    before, database = id_of(ingested, image), ingested.container("postgres")
    tag = release("works", f"FROM {image}\nLABEL of.test=1\n")

    ingested.drop(files)
    run = wait_for("a run that works", ingested.working_run, 240)
    stop_or_continue(ingested, run, signal.SIGSTOP)  # it lasts as long as the update does
    try:
        done = update(ingested, "--release", tag)
    finally:
        stop_or_continue(ingested, run, signal.SIGCONT)

    assert done.returncode == 0, done.stderr
    after = id_of(ingested, image)
    assert after == id_of(ingested, f"{image.rsplit(':', 1)[0]}:works") != before
    for service in ("user-code", "webserver", "webserver-view", "daemon"):
        assert image_of(ingested, ingested.container(service)) == after
    assert image_of(ingested, run) == before
    assert ingested.container("postgres") == database
    wait_for("the documents of that run", lambda: indexed(ingested, names) == len(files), 300)
    wait_for("no run left", lambda: ingested.sql(IN_PROGRESS, "dagster") == [["0"]], 300)
    run_id = ingested.inspect(run)["Config"]["Labels"]["dagster/run_id"]
    assert ingested.sql(f"SELECT status FROM runs WHERE run_id = '{run_id}'", "dagster") == [["SUCCESS"]]

    back = update(ingested, "--back")

    assert back.returncode == 0, back.stderr
    assert image_of(ingested, ingested.container("user-code")) == before
    assert loads(ingested)


def test_an_image_that_cannot_be_loaded_is_refused_before_anything_changes(ingested, image, release):
    tag = release(
        "unloadable", f"FROM {image}\nUSER root\nRUN echo 'raise RuntimeError' >/app/doc_assets/defs/broken.py\n"
    )
    services = ("user-code", "webserver", "daemon")
    before = [ingested.inspect(ingested.container(service))["State"]["StartedAt"] for service in services]

    done = update(ingested, "--release", tag)

    assert done.returncode == 1
    assert "cannot be loaded, nothing was changed" in done.stderr
    assert [ingested.inspect(ingested.container(service))["State"]["StartedAt"] for service in services] == before


def test_an_update_that_does_not_work_is_taken_back_with_its_tables(ingested, image, release):
    ((revision,),) = ingested.sql(REVISION)
    before = id_of(ingested, image)
    tag = release("broken", BROKEN.format(image=image, revision=revision))

    done = update(ingested, "--release", tag)

    assert done.returncode == 1
    assert "going back" in done.stderr
    assert "broken on purpose" in done.stderr
    assert id_of(ingested, image) == before
    assert ingested.sql(REVISION) == [[revision]]
    for service in ("user-code", "webserver", "webserver-view", "daemon", "proxy", "postgres"):
        wait_for(service, lambda service=service: ingested.health(service) == "healthy", 120)
    assert image_of(ingested, ingested.container("user-code")) == before
    assert loads(ingested)
    assert ingested.compose("exec", "-T", "user-code", "doc-assets", "check")


def test_the_tree_is_built_and_compared_first(ingested):
    """What is built here again is what runs already."""
    done = update(ingested)

    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stderr


def test_a_secret_that_an_older_release_did_not_know_is_asked_for_first(ingested):
    secret = ingested.secrets / "s3_secret_key"
    secret.rename(ingested.secrets / "away")
    try:
        done = update(ingested)
    finally:
        (ingested.secrets / "away").rename(secret)

    assert done.returncode == 1
    assert "s3_secret_key is missing, nothing was changed. Run deploy/init" in done.stderr


def test_a_release_that_is_not_here_is_refused(ingested):
    done = update(ingested, "--release", "absent")

    assert done.returncode == 1
    assert "not on this machine" in done.stderr
