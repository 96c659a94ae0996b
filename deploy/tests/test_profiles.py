"""The profiles api and monitoring beside the running stack; Prometheus is Debian's, Grafana could not be had."""

import base64
import json
import shutil
from pathlib import Path

import httpx
import pytest
import yaml

from deploy.tests.stack import NAME, PROJECT_DIR, Stack, wait_for

PROMETHEUS = f"{NAME}-prometheus:debian"
PROFILES = {"api": {"image-api"}, "monitoring": {"metrics", "prometheus", "grafana"}}
DOCUMENT = "N2024012000066THA00100001_8.tif"


def profiled(stack: Stack, *command: str) -> str:
    """``docker compose`` with both profiles."""
    profiles = [argument for profile in PROFILES for argument in ("--profile", profile)]
    return stack.compose(*profiles, *command)


@pytest.fixture(scope="module")
def config(files):
    found: dict = json.loads(profiled(files, "config", "--format", "json"))
    return found


# --- the files


def test_services_of_profiles_are_off_without_them_and_hardened_as_the_others(files, config):
    plain = set(files.config()["services"])
    added = set(config["services"]) - plain

    assert added == set().union(*PROFILES.values())
    for name in added:
        service = config["services"][name]
        assert service["user"].split(":")[0] not in {"", "0", "root"}, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert int(service["mem_limit"]) > 0, name
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
        assert not service.get("ports"), name


def test_services_of_profiles_reach_what_they_need_and_no_more(config):
    networks = {name: set(service.get("networks") or {}) for name, service in config["services"].items()}
    writable = {
        name: {m["source"] for m in service.get("volumes", []) if not m.get("read_only")}
        for name, service in config["services"].items()
    }

    assert networks["image-api"] == {"images"}
    assert networks["metrics"] == {"data", "watch"}
    assert networks["prometheus"] == {"watch"}
    assert networks["grafana"] == {"watch", "dashboards"}
    assert {name for name, found in networks.items() if "images" in found} == {"image-api", "proxy"}
    assert {name for name, found in networks.items() if "dashboards" in found} == {"grafana", "proxy"}
    for network in ("images", "watch", "dashboards"):
        assert config["networks"][network]["internal"] is True
    assert writable["metrics"] == {"logs"}
    assert writable["image-api"] == {"image-api", "logs"}
    assert {m["source"] for m in config["services"]["image-api"]["volumes"]} == {"image-api", "logs", "archive"}


def test_configuration_of_grafana_is_found_where_it_looks(config):
    board = json.loads((PROJECT_DIR / "deploy/monitoring/grafana/doc_assets.json").read_text(encoding="utf-8"))
    source = yaml.safe_load((PROJECT_DIR / "deploy/monitoring/grafana/datasource.yml").read_text(encoding="utf-8"))
    provider = yaml.safe_load((PROJECT_DIR / "deploy/monitoring/grafana/dashboards.yml").read_text(encoding="utf-8"))
    targets = {one["target"] for one in config["services"]["grafana"]["configs"]}

    (datasource,) = source["datasources"]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {datasource["uid"]}
    assert datasource["url"] == "http://prometheus:9090"
    assert f"{provider['providers'][0]['options']['path']}/doc_assets.json" in targets
    for one in config["configs"].values():
        assert Path(one["file"]).is_file()


# --- on a real engine


@pytest.fixture(scope="module")
def served(ingested: Stack, tmp_path_factory):
    """The running stack with both profiles; what a registry would have to give is left out or stands in."""
    shutil.copyfile(_any_document(ingested), ingested.archive / DOCUMENT)
    (ingested.archive / DOCUMENT).chmod(0o644)
    context = PROJECT_DIR / "deploy" / "tests" / "base_images" / "prometheus"
    ingested.run("docker", "build", "--quiet", "--tag", PROMETHEUS, str(context))
    settings = ingested.env_file.read_text(encoding="utf-8")
    changed = {
        "PROMETHEUS_IMAGE": PROMETHEUS,
        "DOC_ASSETS_SEARCH_ROOTS": '["/archive"]',
        "DOC_ASSETS_METRICS_REFRESH_S": "2",
    }
    lines = [line for line in settings.splitlines() if line.split("=")[0] not in changed]
    ingested.env_file.write_text("\n".join([*lines, *(f"{k}={v}" for k, v in changed.items())]) + "\n")
    services = ["image-api", "metrics", "prometheus"]
    try:
        profiled(ingested, "up", "--detach", "--wait", "--wait-timeout", "300", "--no-recreate", *services)
        yield ingested
    except AssertionError as error:
        raise AssertionError(
            f"{error}\n{profiled(ingested, 'logs', '--no-color', '--tail', '30', *services)}"
        ) from error
    finally:
        profiled(ingested, "rm", "--stop", "--force", *services)
        ingested.env_file.write_text(settings, encoding="utf-8")


def _any_document(stack: Stack) -> Path:
    return sorted(stack.inbox.glob("*.tif"))[0]


def _get_image(stack: Stack, key: str | None, **options) -> httpx.Response:
    with stack.client(None) as client:
        headers = {"X-API-Key": key} if key else {}
        return client.get("/images", params={"filename": "N2024012000066THA00001"}, headers=headers, **options)


def test_a_document_comes_through_the_proxy_to_who_has_the_key(served):
    answer = _get_image(served, served.secret("image_api_key"))
    refused = [_get_image(served, None), _get_image(served, "another key")]
    with served.client("operator") as client:
        refused.append(client.get("/images", params={"filename": "N2024012000066THA00001"}))

    body = answer.raise_for_status().json()
    assert body["server_filename"] == DOCUMENT
    assert base64.b64decode(body["image_b64"]) == (served.archive / DOCUMENT).read_bytes()
    assert [one.status_code for one in refused] == [401, 401, 401]


def test_the_names_of_documents_stand_in_no_log_of_the_proxy(served):
    _get_image(served, served.secret("image_api_key")).raise_for_status()

    assert "N2024012000066" not in served.compose("logs", "--no-color", "proxy")


def test_the_document_api_has_no_secret_but_its_key_and_no_document_of_the_home(served):
    listed = served.compose("exec", "-T", "image-api", "find", "/etc/doc-assets", "/var/lib/doc-assets", "-type", "f")
    environment = json.dumps(served.inspect(served.container("image-api"))["Config"]["Env"])

    assert [line for line in listed.split() if line.startswith("/etc")] == [
        "/etc/doc-assets/secrets/doc_assets_image_api_key"
    ]
    assert ".tif" not in listed
    assert not [secret for secret in served.passwords() if secret in environment]


def test_its_probe_turns_red_when_the_archive_cannot_be_listed(served):
    probe = ["exec", "-T", "image-api", "python", "stack/probe.py", "image-api"]
    served.compose(*probe)
    served.archive.chmod(0o700)
    try:
        with pytest.raises(AssertionError, match="could not be listed"):
            served.compose(*probe)
    finally:
        served.archive.chmod(0o755)


def test_doctor_in_the_code_server_sees_packages_for_object_storage(served):
    said = served.compose("exec", "-T", "user-code", "python", "-c", "import s3fs; print(s3fs.__version__)")

    assert said.strip()


def _prometheus(stack: Stack, query: str) -> list[dict]:
    asked = f"http://127.0.0.1:9090/api/v1/query?query={query}"
    answer = json.loads(stack.compose("exec", "-T", "prometheus", "wget", "-q", "-O", "-", asked))
    result: list[dict] = answer["data"]["result"]
    return result


def _value(stack: Stack, query: str) -> float | None:
    found = _prometheus(stack, query)
    return float(found[0]["value"][1]) if found else None


def test_prometheus_reads_the_stack_and_every_source_answers(served):
    wait_for("a scrape", lambda: _value(served, "doc_assets_archive_documents"), 120)

    up = {one["metric"]["source"]: one["value"][1] for one in _prometheus(served, "doc_assets_source_up")}
    assert up == dict.fromkeys(("build", "ledger", "dagster", "store", "disks", "backups"), "1")
    documents = float(served.sql("SELECT count(*) FROM documents WHERE is_current")[0][0])
    assert _value(served, "doc_assets_archive_documents") == documents
    assert _value(served, "doc_assets_collection_photos-doc_assets_collection_photos_expected") == 0
    assert _value(served, "min(time()-doc_assets_daemon_heartbeat_timestamp_seconds)") < 180
    assert _value(served, "count(doc_assets_tick_failed)") >= 3
    rules = json.loads(
        served.compose("exec", "-T", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/rules")
    )
    assert len(rules["data"]["groups"][0]["rules"]) > 10


def test_postgresql_away_is_a_source_that_is_down_and_no_zero(served):
    page = ["exec", "-T", "metrics", "python", "-c"]
    program = (
        "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/metrics', timeout=20).read().decode())"
    )

    def down() -> str | None:
        text = served.compose(*page, program)
        return text if 'source_up{source="ledger"} 0.0' in text and 'source_up{source="dagster"} 0.0' in text else None

    served.compose("stop", "--timeout", "5", "postgres")
    try:
        text = wait_for("the outage", down, 120)
    finally:
        served.compose("start", "postgres")
        wait_for("PostgreSQL", lambda: served.health("postgres") == "healthy", 120)
    wait_for("its return", lambda: 'source_up{source="dagster"} 1.0' in served.compose(*page, program), 180)

    assert "doc_assets_documents{" not in text
    assert "doc_assets_runs{" not in text
    assert "doc_assets_disk_free_bytes{" in text


def test_the_metrics_service_reads_the_ledger_as_a_role_that_cannot_write(served):
    rows = served.sql("SELECT DISTINCT usename FROM pg_stat_activity WHERE usename = 'ledger_reader'")
    env = {line.split("=", 1)[0]: line for line in served.inspect(served.container("metrics"))["Config"]["Env"]}

    assert "ledger_reader@" in env["DOC_ASSETS_LEDGER_URL"]
    assert rows in ([], [["ledger_reader"]])  # it connects for moments only


def test_grafana_is_for_those_who_are_logged_in_and_reads_only(served):
    """Nothing answers behind it here: 502 is what the proxy says when it would hand a request on."""
    with served.client(None) as nobody, served.client("viewer") as viewer:
        query = "/grafana/api/ds/query"
        statuses = [
            nobody.get("/grafana/").status_code,
            nobody.post(query, json={}).status_code,
            viewer.get("/grafana/").status_code,
            viewer.post(query, json={}).status_code,
            viewer.post(query, json={}, headers={"Origin": f"https://localhost:{served.port}"}).status_code,
            viewer.post(query, json={}, headers={"Origin": "https://evil.example"}).status_code,
            viewer.put("/grafana/api/user", json={}).status_code,
            viewer.delete("/grafana/api/dashboards/uid/doc-assets").status_code,
        ]

    assert statuses == [401, 401, 502, 502, 502, 403, 403, 403]
