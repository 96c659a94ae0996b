"""Values of the Helm charts, as far as they can be judged without the charts and without a cluster.

The keys that the charts take stand here as their published schemas name them. What reaches pods is checked by the models of
the Kubernetes client and by the code that makes the pods of runs.
"""

import io
import json
from typing import Any

import kubernetes
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.test_utils import create_run_for_test, instance_for_test
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job, get_user_defined_k8s_config
from dagster_k8s.models import k8s_snake_case_dict
from dotenv import dotenv_values

from deploy.tests.stack import PROJECT_DIR
from doc_assets.settings import PREFIX, Settings

FOLDER = PROJECT_DIR / "deploy" / "k8s"
POD = [
    "nodeSelector",
    "affinity",
    "tolerations",
    "podSecurityContext",
    "securityContext",
    "resources",
    "annotations",
    "labels",
]
POD += [
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "env",
    "envConfigMaps",
    "envSecrets",
    "volumes",
    "volumeMounts",
]
POD += ["schedulerName", "image"]
TAKEN = {
    "": [
        "dagsterHome", "global", "dagsterWebserver", "dagster-user-deployments", "postgresql", "ingress", "imagePullSecrets",
        "generatePostgresqlPasswordSecret", "generateCeleryConfigSecret", "rabbitmq", "redis", "flower", "scheduler", "busybox",
        "computeLogManager", "runLauncher", "pythonLogs", "dagsterDaemon", "migrate", "telemetry", "serviceAccount", "retention",
        "additionalInstanceConfig", "rbacEnabled",
    ],
    "dagsterWebserver": [
        *POD, "replicaCount", "nameOverride", "pathPrefix", "service", "workspace", "deploymentLabels", "enableReadOnly",
        "dbStatementTimeout", "dbPoolRecycle", "logLevel",
    ],
    "dagsterDaemon": [
        *POD, "enabled", "runCoordinator", "heartbeatTolerance", "deploymentLabels", "runMonitoring", "runRetries", "sensors",
        "schedules",
    ],
    "runLauncher": ["type", "config"],
    "runLauncher.config.k8sRunLauncher": [
        "image", "imagePullPolicy", "jobNamespace", "loadInclusterConfig", "kubeconfigFile", "envConfigMaps", "envSecrets",
        "envVars", "volumeMounts", "volumes", "labels", "failPodOnRunFailure", "resources", "schedulerName", "securityContext",
        "runK8sConfig",
    ],
    "runLauncher.config.k8sRunLauncher.runK8sConfig": [
        "containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig", "jobMetadata",
    ],
    "dagsterDaemon.runCoordinator.config.queuedRunCoordinator": [
        "maxConcurrentRuns", "tagConcurrencyLimits", "dequeueIntervalSeconds", "dequeueNumWorkers", "dequeueUseThreads",
    ],
    "dagster-user-deployments": ["enabled", "enableSubchart", "imagePullSecrets", "deployments"],
    "dagster-user-deployments.deployments.0": [
        *POD, "name", "dagsterApiGrpcArgs", "codeServerArgs", "includeConfigInLaunchedRuns", "port",
    ],
    "postgresql": [
        "image", "enabled", "postgresqlHost", "postgresqlUsername", "postgresqlPassword", "postgresqlDatabase",
        "postgresqlParams", "postgresqlScheme", "service",
    ],
    "computeLogManager": ["type", "config"],
    "retention": ["enabled", "sensor", "schedule", "autoMaterialize"],
}  # fmt: skip
QDRANT = {
    "replicaCount", "image", "imagePullSecrets", "nameOverride", "fullnameOverride", "args", "env", "service", "ingress",
    "livenessProbe", "readinessProbe", "startupProbe", "additionalLabels", "additionalAnnotations", "podAnnotations", "podLabels",
    "resources", "containerSecurityContext", "podSecurityContext", "lifecycle", "updateVolumeFsOwnership", "nodeSelector",
    "tolerations", "affinity", "topologySpreadConstraints", "persistence", "snapshotPersistence", "snapshotRestoration", "config",
    "sidecarContainers", "metrics", "serviceAccount", "priorityClassName", "shareProcessNamespace", "podManagementPolicy",
    "terminationGracePeriodSeconds", "podDisruptionBudget", "apiKey", "readOnlyApiKey", "additionalVolumes",
    "additionalVolumeMounts",
}  # fmt: skip


@pytest.fixture(scope="module")
def dagster() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "dagster-values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def qdrant() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "qdrant-values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ours() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "stack.yaml").read_text(encoding="utf-8")))


def at(values: dict[str, Any], path: str) -> Any:
    found: Any = values
    for part in path.split(".") if path else []:
        found = found[int(part)] if part.isdigit() else found[part]
    return found


@pytest.mark.parametrize("path", TAKEN)
def test_dagsters_chart_takes_every_key(dagster, path):
    assert set(at(dagster, path)) <= set(TAKEN[path])


def test_qdrants_chart_takes_every_key_and_gets_its_keys_from_a_secret(qdrant):
    assert set(qdrant) <= QDRANT
    for name in ("apiKey", "readOnlyApiKey"):
        assert set(qdrant[name]["valueFrom"]["secretKeyRef"]) == {"name", "key"}


def test_kubernetes_knows_every_field_of_our_objects_and_of_pods(dagster, qdrant, ours):
    """An unknown field is an error of the client's models."""
    kinds = {
        "ConfigMap": kubernetes.client.V1ConfigMap,
        "PersistentVolumeClaim": kubernetes.client.V1PersistentVolumeClaim,
        "Job": kubernetes.client.V1Job,
        "NetworkPolicy": kubernetes.client.V1NetworkPolicy,
    }
    for one in ours:
        k8s_snake_case_dict(kinds[one["kind"]], one)
    for path in ("dagsterWebserver", "dagsterDaemon", "dagster-user-deployments.deployments.0"):
        pod = at(dagster, path)
        k8s_snake_case_dict(kubernetes.client.V1PodSecurityContext, pod["podSecurityContext"])
        k8s_snake_case_dict(kubernetes.client.V1SecurityContext, pod["securityContext"])
        k8s_snake_case_dict(kubernetes.client.V1ResourceRequirements, pod["resources"])
        for volume in pod["volumes"]:
            k8s_snake_case_dict(kubernetes.client.V1Volume, volume)
        for mount in pod["volumeMounts"]:
            k8s_snake_case_dict(kubernetes.client.V1VolumeMount, mount)
        for probe in ("startupProbe", "readinessProbe"):
            given = {key: value for key, value in pod.get(probe, {}).items() if key != "enabled"}
            k8s_snake_case_dict(kubernetes.client.V1Probe, given)
    for constraint in qdrant["topologySpreadConstraints"]:
        k8s_snake_case_dict(kubernetes.client.V1TopologySpreadConstraint, constraint)


@pytest.fixture(scope="module")
def launcher(dagster) -> dict[str, Any]:
    """The config of the run launcher as the chart writes it into dagster.yaml."""
    given = at(dagster, "runLauncher.config.k8sRunLauncher")
    names = {
        "containerConfig": "container_config",
        "podSpecConfig": "pod_spec_config",
        "jobSpecConfig": "job_spec_config",
    }
    return {
        "load_incluster_config": False,
        "service_account_name": dagster["serviceAccount"]["name"],
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": at(dagster, "global.postgresqlSecretName"),
        "dagster_home": dagster["dagsterHome"],
        "image_pull_policy": given["imagePullPolicy"],
        "env_secrets": [secret["name"] for secret in given["envSecrets"]],
        "env_vars": given["envVars"],
        "security_context": given["securityContext"],
        "fail_pod_on_run_failure": given["failPodOnRunFailure"],
        "run_k8s_config": {names[key]: value for key, value in given["runK8sConfig"].items()},
    }


def pod_of(launcher: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    """The pod that the run launcher makes of a run with these tags."""
    from dagster._config import process_config, resolve_to_config_type

    checked = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), launcher)
    assert checked.success, checked.errors
    with instance_for_test() as instance:
        run = create_run_for_test(instance, job_name="a_job", tags=tags)
        context = K8sContainerContext.create_from_config({"k8s": {}})
        named = {key: value for key, value in checked.value.items() if key in {
            "image_pull_policy", "service_account_name", "env_secrets", "env_vars", "security_context",
        }}  # fmt: skip
        base = K8sContainerContext.create_from_config({"k8s": {**named, "run_k8s_config": launcher["run_k8s_config"]}})
        asked = K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(run.tags))
        merged = context.merge(base).merge(asked)
        config = DagsterK8sJobConfig(
            job_image="registry.example.org/doc-assets:0.1.0",
            dagster_home=launcher["dagster_home"],
            postgres_password_secret=launcher["postgres_password_secret"],
        )
        job = construct_dagster_k8s_job(
            config, ["dagster"], "a-job", user_defined_k8s_config=merged.run_k8s_config, pod_name="a-pod"
        )
        found = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    return {"job": found["spec"], **found["spec"]["template"]["spec"]}


def gpu_run_tags(ours: list[dict[str, Any]]) -> dict[str, str]:
    settings = settings_of(ours)
    return {key: json.dumps(value) for key, value in json.loads(settings[f"{PREFIX}GPU_RUN_TAGS"]).items()}


def settings_of(ours: list[dict[str, Any]]) -> dict[str, str]:
    (text,) = (one["data"]["settings.env"] for one in ours if one["kind"] == "ConfigMap")
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}


def test_only_runs_that_embed_ask_for_a_gpu(launcher, ours):
    with_gpu = pod_of(launcher, gpu_run_tags(ours))
    without = pod_of(launcher, {})

    assert with_gpu["containers"][0]["resources"]["limits"] == {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"}
    assert [one["key"] for one in with_gpu["tolerations"]] == ["nvidia.com/gpu"]
    assert without["containers"][0]["resources"]["limits"] == {"cpu": "4", "memory": "8Gi"}
    assert "tolerations" not in without


def test_pods_of_runs_are_hardened_and_see_what_the_code_server_sees(launcher, dagster):
    pod = pod_of(launcher, {})
    server = at(dagster, "dagster-user-deployments.deployments.0")
    (container,) = pod["containers"]

    assert container["securityContext"] == server["securityContext"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"] == server["podSecurityContext"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert {one["name"] for one in server["volumeMounts"]} <= {one["name"] for one in container["volumeMounts"]}
    assert {one["name"] for one in server["volumes"]} <= {one["name"] for one in pod["volumes"]}
    assert pod["job"]["ttlSecondsAfterFinished"] > 0


def test_the_jobs_that_embed_carry_the_tags(monkeypatch):
    """In a process of its own: tags are read when the code location is loaded."""
    import subprocess
    import sys

    program = (
        "from doc_assets.definitions import defs\n"
        "loaded = defs()\n"
        "print(sorted(j.name for j in loaded.resolve_all_job_defs() if 'dagster-k8s/config' in j.tags))"
    )
    monkeypatch.setenv("DOC_ASSETS_GPU_RUN_TAGS", '{"dagster-k8s/config": {"container_config": {}}}')
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT_DIR)

    assert (
        said.stdout.strip()
        == "['fill_collection_job', 'ingest_drop_job', 'refit_job', 'screen_drop_job', 'search_documents_job']"
    )


def test_settings_and_secrets_are_those_of_the_program(ours, dagster, monkeypatch):
    for name, value in settings_of(ours).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    sources = at(dagster, "dagster-user-deployments.deployments.0.volumes.0.projected.sources")
    files = [item["path"].removeprefix("secrets/") for item in sources[1]["secret"]["items"]]

    assert str(settings.bulk).startswith("s3://")
    assert {name.removeprefix(PREFIX.lower()) for name in files} <= set(Settings.model_fields)
    for name in settings_of(ours):
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields


def test_the_instance_accepts_what_the_chart_makes_of_the_values(dagster, tmp_path):
    """The parts of dagster.yaml that come from values which the chart copies."""
    monitoring, retries = at(dagster, "dagsterDaemon.runMonitoring"), at(dagster, "dagsterDaemon.runRetries")
    queue = at(dagster, "dagsterDaemon.runCoordinator.config.queuedRunCoordinator")
    instance = {
        **dagster["additionalInstanceConfig"],
        "telemetry": dagster["telemetry"],
        "run_monitoring": {_snake(key): value for key, value in monitoring.items()},
        "run_retries": {_snake(key): value for key, value in retries.items()},
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {_snake(key): value for key, value in queue.items()},
        },
        "compute_logs": at(dagster, "computeLogManager.config.customComputeLogManager"),
        "retention": {
            name: {"purge_after_days": at(dagster, f"retention.{name}.purgeAfterDays")}
            for name in ("sensor", "schedule")
        },
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(instance), encoding="utf-8")

    accepted, _ = dagster_instance_config(str(tmp_path))

    assert accepted["concurrency"]["pools"]["granularity"] == "op"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_no_secret_stands_in_the_files_and_one_image_is_used(dagster, ours):
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.iterdir())
    images = {f"{at(dagster, path)['repository']}:{at(dagster, path)['tag']}" for path in (
        "dagster-user-deployments.deployments.0.image", "dagsterWebserver.image", "dagsterDaemon.image",
    )}  # fmt: skip
    (job,) = (one for one in ours if one["kind"] == "Job")

    assert images == {job["spec"]["template"]["spec"]["containers"][0]["image"]}
    assert "postgresqlPassword" not in text
