import json

import pytest

from doc_assets_tests.page_finding import page_finder


@pytest.fixture(scope="session")
def find():
    """A function: the finder of the default settings but for what is named; the same one for the same settings."""
    made = {}

    def find(**changed):
        key = json.dumps(changed, sort_keys=True)
        if key not in made:
            made[key] = page_finder(**changed)
        return made[key]

    return find
