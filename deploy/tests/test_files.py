"""What can be said about the stack's files before anything runs."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from deploy.tests.stack import PROJECT_DIR, Stack
from doc_assets.settings import PREFIX

READS_ENV = re.compile(r"\$\{([A-Z_0-9]+)[}:]")
NO_READER_IN_COMPOSE = {"COMPOSE_PROFILES"}  # compose itself


@pytest.fixture(scope="module")
def config(files):
    return files.config()


@pytest.fixture(scope="module")
def run_kwargs(config):
    context = json.loads(config["services"]["user-code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"])
    return context["docker"]["container_kwargs"]


@pytest.fixture
def configure():
    """The program of the service ``configure`` as a module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("configure", PROJECT_DIR / "deploy" / "stack" / "configure.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compose_texts() -> str:
    folder = [*PROJECT_DIR.glob("docker-compose*.yaml"), *(PROJECT_DIR / "deploy" / "compose").glob("*")]
    return "\n".join(path.read_text(encoding="utf-8") for path in folder)


def _named_in_example() -> list[str]:
    text = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
    return [name for name in re.findall(r"^#?([A-Z][A-Z_0-9]+)=", text, re.MULTILINE) if not name.startswith(PREFIX)]


def test_every_stack_variable_of_the_example_has_a_reader_and_every_reader_an_entry():
    named = _named_in_example()
    read = set(READS_ENV.findall(_compose_texts()))
    set_by_files = set(
        re.findall(
            r"^([A-Z_]+)=", "\n".join(p.read_text() for p in PROJECT_DIR.glob("deploy/compose/*.env")), re.MULTILINE
        )
    )

    assert len(named) == len(set(named))
    assert set(named) - NO_READER_IN_COMPOSE == read - (set_by_files - set(named)) - {"PWD"}


def test_every_file_that_compose_mounts_or_builds_from_exists(config):
    for service in config["services"].values():
        if "build" in service:
            context = PROJECT_DIR / service["build"]["context"]
            text = (context / service["build"].get("dockerfile", "Dockerfile")).read_text(encoding="utf-8")
            target = service["build"].get("target")
            assert target is None or re.search(rf"^FROM .* AS {target}$", text, re.MULTILINE)


def test_run_containers_are_hardened_as_services_are(config, run_kwargs):
    service = config["services"]["user-code"]

    assert run_kwargs["user"] == service["user"] == "10001:10001"
    assert run_kwargs["read_only"] is service["read_only"] is True
    assert run_kwargs["cap_drop"] == service["cap_drop"] == ["ALL"]
    assert run_kwargs["security_opt"] == service["security_opt"] == ["no-new-privileges:true"]
    assert run_kwargs["log_config"] == {"type": service["logging"]["driver"], "config": service["logging"]["options"]}
    assert run_kwargs["ulimits"] == [{"name": "core", "soft": 0, "hard": 0}]
    assert "core" in service["ulimits"]
    assert run_kwargs["pids_limit"] >= service["pids_limit"]
    for option in ("nosuid", "nodev"):
        assert option in run_kwargs["tmpfs"]["/tmp"]
        assert option in service["tmpfs"][0]
    assert run_kwargs["mem_limit"]
    assert run_kwargs["nano_cpus"]


def test_run_containers_see_the_volumes_and_the_network_of_the_code_server(config, run_kwargs):
    service = config["services"]["user-code"]
    names = {key: volume["name"] for key, volume in config["volumes"].items()}
    of_service = {
        f"{names[mount['source']]}:{mount['target']}" + (":ro" if mount.get("read_only") else "")
        for mount in service["volumes"]
    }
    context = json.loads(service["environment"]["DAGSTER_CONTAINER_CONTEXT"])["docker"]

    keys = {f"{names['config']}:/etc/doc-assets:ro"}
    assert set(run_kwargs["volumes"]) == of_service - keys | {f"{names['config-runs']}:/etc/doc-assets:ro"}
    assert context["networks"] == [config["networks"][name]["name"] for name in service["networks"]]


def test_every_service_is_hardened(config):
    for name, service in config["services"].items():
        assert service["user"] not in {"", "0", "root", "0:0"}, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert int(service["mem_limit"]) > 0, name
        assert int(service["pids_limit"]) > 0, name


def test_only_the_proxy_publishes_a_port_and_every_other_network_is_internal(config):
    publishing = {name for name, service in config["services"].items() if service.get("ports")}
    open_networks = {name for name, network in config["networks"].items() if not network.get("internal")}

    assert publishing == {"proxy"}
    assert open_networks == {"edge"}
    assert [name for name, service in config["services"].items() if "edge" in (service.get("networks") or {})] == [
        "proxy"
    ]


def test_only_the_socket_proxy_holds_the_docker_socket_and_only_the_daemon_reaches_it(config):
    holders = {
        name
        for name, service in config["services"].items()
        for mount in service.get("volumes", [])
        if mount["type"] == "bind"
    }
    reaching = {name for name, service in config["services"].items() if "control" in (service.get("networks") or {})}

    assert holders == {"socket-proxy"}
    assert reaching == {"socket-proxy", "daemon"}


def test_services_wait_for_health_restart_and_have_a_probe(config):
    for name, service in config["services"].items():
        once = service["restart"] == "no"
        assert once or service["restart"] == "unless-stopped"
        assert once or service["healthcheck"]["test"], name
        for waited in service.get("depends_on", {}).values():
            assert waited["condition"] in {"service_healthy", "service_completed_successfully"}, name


def test_no_secret_stands_in_the_resolved_compose_file(files, config):
    text = json.dumps(config)

    assert files.passwords()
    assert not [secret for secret in files.passwords() if secret in text]


def test_the_instance_file_is_accepted_and_sets_what_dagster_leaves_off(tmp_path, monkeypatch):
    instance = yaml.safe_load((PROJECT_DIR / "deploy" / "dagster" / "dagster.yaml").read_text(encoding="utf-8"))

    assert instance["telemetry"] == {"enabled": False}
    assert instance["run_monitoring"]["enabled"] is True
    assert instance["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    assert instance["run_retries"]["enabled"] is True
    assert instance["retention"]["sensor"]["purge_after_days"]["success"] > 0
    local = yaml.safe_load((PROJECT_DIR / "dagster.yaml").read_text(encoding="utf-8"))
    both = (
        "concurrency",
        "run_queue",
        "run_monitoring",
        "run_retries",
        "retention",
        "telemetry",
        "python_logs",
        "sensors",
        "schedules",
    )
    stack_monitoring, local_monitoring = dict(instance), dict(local)
    for key in both:
        assert stack_monitoring[key] == local_monitoring[key], key


@pytest.mark.parametrize("value", ["", "change-me-to-something-long", "short"])
def test_a_template_password_is_refused(configure, tmp_path, value, files):
    """The check itself; that nothing starts then is the order of services."""
    configure.GIVEN = tmp_path
    (tmp_path / "ledger_password").write_text(value, encoding="utf-8")

    with pytest.raises(configure.SettingsError, match="ledger_password"):
        configure._secret("ledger_password")


S3 = {"ENDPOINT": "https://s3.example.org:9000", "REGION": "seoul-1", "ACCESS_KEY": "AKIA1234567890"}


@pytest.mark.parametrize(
    ("changed", "key", "names"),
    [
        ({"ACCESS_KEY": ""}, "k" * 40, "only secrets/s3_secret_key is set"),
        ({}, "", "only S3_ACCESS_KEY_EXTERNAL is set"),
        ({"ENDPOINT": "s3.example.org"}, "k" * 40, "S3_ENDPOINT_EXTERNAL is 's3.example.org'"),
        ({"REGION": "a\nb"}, "k" * 40, "S3_REGION_EXTERNAL"),
    ],
)
def test_object_storage_that_cannot_be_asked_is_refused(configure, monkeypatch, changed, key, names):
    for name, value in {**S3, **changed}.items():
        monkeypatch.setenv(f"STACK_S3_{name}", value)

    with pytest.raises(configure.SettingsError, match=re.escape(names)):
        configure._object_storage(key)


def test_clients_of_object_storage_read_what_was_laid_out(configure, monkeypatch, tmp_path):
    import botocore.session

    for name, value in S3.items():
        monkeypatch.setenv(f"STACK_S3_{name}", value)
    variables = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    for variable, text in zip(variables, configure._object_storage("k" * 40), strict=True):
        (tmp_path / variable).write_text(text, encoding="utf-8")
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert f"{variable}=/etc/doc-assets/" in (PROJECT_DIR / "Dockerfile_user_code").read_text(encoding="utf-8")

    session = botocore.session.Session()

    client = session.create_client("s3")
    found = session.get_credentials()
    assert (found.access_key, found.secret_key) == (S3["ACCESS_KEY"], "k" * 40)
    assert (client.meta.endpoint_url, client.meta.region_name) == (S3["ENDPOINT"], S3["REGION"])


def test_every_secret_of_the_settings_has_a_file_and_is_refused_in_the_settings():
    from pydantic import SecretStr

    from doc_assets.settings import Settings

    secret = {
        name for name, field in Settings.model_fields.items() if field.annotation in {SecretStr, SecretStr | None}
    }
    text = (PROJECT_DIR / "deploy" / "stack" / "configure.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"(\w+)"', re.search(r"OF_SETTINGS = \((.*?)\)", text, re.DOTALL).group(1)))

    assert named == secret - {"ledger_url"}  # it names a passfile


def test_the_image_gets_the_extras_that_are_asked_for():
    def wanted(*asked: str) -> set[str]:
        program = [sys.executable, "deploy/image/dependencies.py", *asked]
        done = subprocess.run(program, cwd=PROJECT_DIR, capture_output=True, text=True, check=True)
        return {re.split("[=><]", line)[0] for line in done.stdout.splitlines()}

    assert wanted("runtime", "k8s") - wanted("runtime", "") == {"dagster-k8s"}
    assert "pytest" in wanted("dev") - wanted("runtime")


def test_init_changes_nothing_that_is_there(files: Stack):
    before = {path.name: path.read_bytes() for path in [*files.secrets.iterdir(), files.env_file]}

    said = files.run("deploy/init", "localhost").stdout

    assert "nothing to do" in said
    assert {path.name: path.read_bytes() for path in [*files.secrets.iterdir(), files.env_file]} == before


def test_with_the_gpu_file_runs_get_the_gpus_and_services_none(tmp_path):
    tmp_path.chmod(0o755)
    services = Stack(tmp_path, ("docker-compose.gpu.yaml",)).config()["services"]
    context = json.loads(services["user-code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"])["docker"][
        "container_kwargs"
    ]

    assert context["device_requests"] == [{"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}]
    assert services["user-code"]["image"].startswith("doc-assets:")
    assert services["configure"]["build"]["target"] == "gpu"
    assert "cu1" in services["configure"]["build"]["args"]["TORCH_INDEX_URL"]
    assert services["configure"]["build"]["args"]["TORCH"] == "cuda"
    for name in ("configure", "migrate", "user-code"):
        assert services[name]["environment"]["DOC_ASSETS_DEVICE"] == "cuda"
    for name, service in services.items():
        assert "devices" not in service, name
        assert "deploy" not in service or "devices" not in str(service["deploy"]), name
