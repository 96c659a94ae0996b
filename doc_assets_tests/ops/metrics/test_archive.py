import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.cli.instance_metrics import InstanceMetrics
from doc_assets.ops.home import prepare_home
from doc_assets.ops.metrics.service import make_registry
from doc_assets_tests.archive.ledger import postgres


def _page(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


@pytest.mark.whole
@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_a_postgresql_that_stops_is_a_source_that_is_down_and_no_zero(settings):
    with postgres.running_server() as url:
        Ledger.open(url).close()
        watched = settings.model_copy(
            update={"ledger_url": SecretStr(url), "metrics_refresh_s": 0.2, "metrics_timeout_s": 5.0}
        )
        prepare_home(watched)
        instance = InstanceMetrics(watched)
        registry = make_registry(watched, instance.families, instance.embedded_counts)
        running = _page(registry)
    until = time.monotonic() + 60  # a reading lives for twenty times its duration
    while 'doc_assets_source_up{source="ledger"} 1.0' in (stopped := _page(registry)) and time.monotonic() < until:
        time.sleep(0.5)

    assert 'doc_assets_source_up{source="ledger"} 1.0' in running
    assert 'doc_assets_documents{state="ok"} 0.0' in running
    assert 'doc_assets_source_up{source="ledger"} 0.0' in stopped
    assert "doc_assets_documents{" not in stopped
    assert "doc_assets_disk_free_bytes{" in stopped
