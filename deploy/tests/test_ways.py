"""The other compose files, each started for real: no Docker socket, PostgreSQL elsewhere, the source mounted."""

import re
import shutil
import subprocess
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

import deploy.tests.stack as module
from deploy.tests.stack import PROJECT_DIR, TAG, Stack, wait_for
from doc_assets.lab.corpus import draw_corpus, plan_corpus

pytestmark = pytest.mark.more
JOB = (
    "query Job($selector: PipelineSelector!) { pipelineOrError(params: $selector) { ... on Pipeline { description } } }"
)
RELOAD = 'mutation { reloadRepositoryLocation(repositoryLocationName: "doc_assets") { __typename } }'


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("few")
    draw_corpus(folder, plan_corpus(2, [], seed=43), workers=2)
    return sorted((folder / "archive").iterdir())


@pytest.fixture
def make(images, tmp_path_factory):
    """Configures a stack of its own from other files, and removes it."""
    made: list[Stack] = []

    def configure(name: str, *files: str, **settings: str) -> Stack:
        folder = tmp_path_factory.mktemp(name)
        made.append(Stack(folder, files, STACK_PROJECT=f"{module.NAME}-{name}", **{**images, **settings}))
        return made[-1]

    yield configure
    for stack in made:
        stack.down()


def _all_indexed(stack: Stack, files: list[Path]) -> bool:
    return stack.sql("SELECT count(*) FROM indexed_documents") == [[str(len(files))]]


def test_without_the_docker_socket_runs_are_processes_of_the_code_server(make, few):
    stack = make("simple", "docker-compose.simple.yaml")
    stack.up()

    stack.drop(few)

    wait_for("every document indexed", lambda: _all_indexed(stack, few), 300)
    run_id = stack.launch("maintenance_job")
    assert wait_for("maintenance", lambda: stack.ended(run_id), 120) == "SUCCESS"
    assert stack.run_containers() == []
    for container in stack.containers(f"label=com.docker.compose.project={stack.name}"):
        assert "/var/run/docker.sock" not in str(stack.inspect(container)["Mounts"])


def test_postgresql_may_be_elsewhere(make, few, images):
    """A server that compose knows nothing of, behind an address of this machine, with the same secrets."""
    gateway = _run("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    port = str(module.free_port())
    address = {"POSTGRES_HOST_EXTERNAL": gateway, "POSTGRES_PORT_EXTERNAL": port}
    stack = make("external", "docker-compose.yaml", "docker-compose.external.yaml", **address)
    name = f"{stack.name}-elsewhere"
    stack.secrets.chmod(0o755)  # the server is no root
    server = ["docker", "run", "--detach", "--name", name, "--publish", f"{gateway}:{port}:5432"]
    server += ["--volume", f"{stack.secrets}:/run/secrets:ro", "--env", "POSTGRES_USER=postgres"]
    _run(*server, "--env", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password", images["STACK_POSTGRES_IMAGE"])
    try:
        ask = ["docker", "exec", name, "psql", "-U", "postgres", "-d", "doc_assets", "-qtAc"]
        wait_for(
            "the server", lambda: not subprocess.run([*ask, "SELECT 1"], capture_output=True, check=False).returncode
        )
        stack.up()
        stack.drop(few)
        rows = "SELECT count(*) FROM indexed_documents"
        wait_for("every document indexed", lambda: _run(*ask, rows) == str(len(few)), 300)
        assert "postgres:" not in stack.run("docker", "top", stack.container("postgres")).stdout
        assert stack.run_containers()
    finally:
        _run("docker", "rm", "--force", "--volumes", name)


def test_documents_photos_and_tables_may_lie_in_object_storage(make, few):
    """A server outside of the stack's networks, with a key of its own."""
    gateway = _run("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    server = ThreadedMotoServer(ip_address=gateway, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    key, secret = "stack-key", "of-object-storage-only-here"
    bucket = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )
    try:
        bucket.create_bucket(Bucket="bulk")
        settings = {"DOC_ASSETS_BULK_ROOT": "s3://bulk/archive", "STACK_DATA_INTERNAL": "false"}
        settings |= {"S3_ENDPOINT_EXTERNAL": address, "S3_ACCESS_KEY_EXTERNAL": key, "S3_REGION_EXTERNAL": "us-east-1"}
        stack = make("objects", "docker-compose.yaml", **settings)
        (stack.secrets / "s3_secret_key").chmod(0o600)
        (stack.secrets / "s3_secret_key").write_text(secret, encoding="utf-8")
        (stack.secrets / "s3_secret_key").chmod(0o444)
        stack.up()

        stack.drop(few)

        wait_for("every document indexed", lambda: _all_indexed(stack, few), 300)
        held = {found["Key"].split("/")[1] for found in bucket.list_objects_v2(Bucket="bulk")["Contents"]}
        assert {"documents", "photos", "embeddings", "local_features"} <= held
        at_home = stack.compose("exec", "-T", "user-code", "ls", "/var/lib/doc-assets").split()
        assert not held & set(at_home)
        stack.compose("exec", "-T", "user-code", "doc-assets", "check", "--read-data")
        for container in [*stack.run_containers(), stack.container("user-code")]:
            environment = stack.inspect(container)["Config"]["Env"]
            assert secret not in str(environment)
            assert "AWS_SECRET_ACCESS_KEY" not in str(environment)
    finally:
        server.stop()


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_changed_file_reaches_the_code_server_and_the_next_run(make, tmp_path, monkeypatch):
    source = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".*cache", ".venv", "wheelhouse", "appdata", "applog", ".git", "__pycache__")
    image = f"doc-assets:dev-{TAG}"
    files, settings = ("docker-compose.dev.yaml",), {"STACK_IMAGE": image, "STACK_TARGET": "dev"}
    tmp_path.chmod(0o755)
    Stack(tmp_path, files, **settings).compose("build", "configure", timeout_s=1200)
    shutil.copytree(PROJECT_DIR, source, ignore=left_out)
    monkeypatch.setattr(module, "PROJECT_DIR", source)
    stack = make("dev", *files, **settings)
    stack.up()
    changed = source / "doc_assets" / "defs" / "maintenance" / "tidying.py"

    text = changed.read_text(encoding="utf-8")
    text = text.replace('description="Deletes what is older than the settings keep it;', 'description="Changed;')
    changed.write_text(
        re.sub(r"(\n +)(context\.log\.info)", r'\1context.log.info("changed, too")\1\2', text), encoding="utf-8"
    )

    selector = {
        "pipelineName": "maintenance_job",
        "repositoryName": "__repository__",
        "repositoryLocationName": "doc_assets",
    }
    wait_for("the code server", lambda: "Changed;" in _description(stack, selector), 120)
    run_id = stack.launch("maintenance_job")
    assert wait_for("maintenance", lambda: stack.ended(run_id), 180) == "SUCCESS"
    assert len(stack.run_containers()) == 1
    logged = f"SELECT count(*) FROM event_logs WHERE run_id = '{run_id}' AND event LIKE '%changed, too%'"
    assert stack.sql(logged, "dagster") == [["1"]]


def _description(stack: Stack, selector: dict[str, str]) -> str:
    try:
        stack.graphql(RELOAD)
        return str(stack.graphql(JOB, {"selector": selector})["pipelineOrError"].get("description"))
    except AssertionError:  # while it restarts
        return ""
