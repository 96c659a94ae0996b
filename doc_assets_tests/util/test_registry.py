import pytest

from doc_assets.errors import SettingsError
from doc_assets.features.embedders.base import embedders
from doc_assets.photos.base import photo_extractors
from doc_assets.util.registry import Registry


def test_components_are_found_by_the_file_they_live_in():
    assert list(embedders.names()) == ["gist", "transformers"]
    assert list(photo_extractors.names()) == ["detector", "layout", "template"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SettingsError, match="detector, layout, template"):
        photo_extractors.get("yolo")


def test_two_components_may_not_share_a_name():
    registry: Registry[object] = Registry("thing", "doc_assets.photos")
    registry.register("one")(int)

    with pytest.raises(ValueError, match="one"):
        registry.register("one")(str)
