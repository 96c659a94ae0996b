import json

from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.home import check_image_api
from doc_assets_tests.ops.image_server.conftest import archive_folder, serving  # noqa: F401 - fixtures


def test_the_own_document_api_is_green_red_when_failing_and_red_when_away(settings, serving, tmp_path):  # noqa: F811
    not_named = check_image_api(settings)
    with serving() as served:
        named = settings.model_copy(update={"image_api_url": served.url + "/"})
        well = check_image_api(named)
        (tmp_path / "archive").rename(tmp_path / "gone")
        failing = check_image_api(named)
        (tmp_path / "gone").rename(tmp_path / "archive")
    away = check_image_api(named)
    nonsense = check_image_api(settings.model_copy(update={"image_api_url": "nowhere"}))

    found = (not_named, well, failing, away, nonsense)
    assert [one.level for one in found] == [Level.GREEN, Level.GREEN, Level.RED, Level.RED, Level.RED]
    assert "not asked" in not_named.says
    assert json.loads(failing.says.split(": ", 1)[1])["faults"] == ["archive folder 1 could not be listed"]
    assert "does not answer" in away.says
