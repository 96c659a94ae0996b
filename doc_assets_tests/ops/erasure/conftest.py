from doc_assets_tests.archive.ledger.conftest import ledger_url, postgres_server

__all__ = ["ledger_url", "postgres_server"]
