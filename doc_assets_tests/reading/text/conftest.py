import pytest

from doc_assets_tests.page_finding import page_finder


@pytest.fixture(scope="session")
def find():
    """A function: the finder of the default settings but for what is named."""
    return page_finder
