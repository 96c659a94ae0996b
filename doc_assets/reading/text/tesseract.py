"""Tesseract, in process through tesserocr: a program for each page takes 240 to 600 ms of CPU instead of 20 to 60."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from doc_assets.errors import SetupError
from doc_assets.reading.text.base import GreyImage, TextEngine, TextLine, text_engines
from doc_assets.util.files import sha256_of_files

_MODEL_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
)
_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z_]{1,30}")


@text_engines.register("tesseract")
class TesseractEngine(TextEngine):
    """Tesseract's LSTM recogniser, a line at a time, for languages joined by ``+``.

    ``model_folder`` holds ``kor.traineddata`` and the others; default: where Debian puts them.
    """

    def __init__(self, languages: str = "kor+eng", model_folder: str | None = None) -> None:
        import tesserocr

        names = languages.split("+")
        for name in names:
            if not _LANGUAGE.fullmatch(name):  # it becomes a part of a path
                raise ValueError(f"languages are names like kor, joined by +; got {languages!r}")
        self._languages = languages
        self._folder = _folder_with(names, [model_folder] if model_folder else _MODEL_FOLDERS)
        digest = sha256_of_files(*(_model(self._folder, name) for name in names))
        version = tesserocr.tesseract_version().split()[1]
        self.engine_id = f"tesseract-{version}-{'_'.join(names)}-{digest[:8]}"
        self._api: Any = None

    @override
    def read(self, lines: Sequence[GreyImage]) -> list[TextLine]:
        from tesserocr import PSM, PyTessBaseAPI

        if self._api is None:
            self._api = PyTessBaseAPI(path=f"{self._folder}/", lang=self._languages, psm=PSM.SINGLE_LINE)
        return [self._read(line) for line in lines]

    def _read(self, line: GreyImage) -> TextLine:
        height, width = line.shape
        self._api.SetImageBytes(line.tobytes(), width, height, 1, width)
        text = " ".join(str(self._api.GetUTF8Text()).split())
        confidence = self._api.MeanTextConf() / 100
        return TextLine(text, confidence) if text and confidence > 0 else TextLine("", 0.0)


def _folder_with(names: Sequence[str], folders: Sequence[str]) -> Path:
    for folder in map(Path, folders):
        if all(_model(folder, name).is_file() for name in names):
            return folder
    missing = [name for name in names if not any(_model(Path(folder), name).is_file() for folder in folders)] or names
    packages = ", ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in missing)
    raise SetupError(
        f"Tesseract's models {', '.join(f'{name}.traineddata' for name in missing)} are in none of "
        f"{', '.join(map(str, folders))}. Install Debian's {packages} (apt-get install tesseract-ocr "
        'tesseract-ocr-kor), or name their folder in DOC_ASSETS_PAGE_TEXT_ENGINE_OPTIONS={"model_folder": "..."}.'
    )


def _model(folder: Path, name: str) -> Path:
    return folder / f"{name}.traineddata"
