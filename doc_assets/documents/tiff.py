"""TIFF documents: each page through the reader that can decode it, as the picture a person would see."""

import os
import re
from collections.abc import Sequence
from typing import BinaryIO

from doc_assets.datatypes import RgbImage
from doc_assets.documents import decoding
from doc_assets.documents.faults import Fault, FaultCode
from doc_assets.documents.noise import Noise
from doc_assets.documents.opened import FileContent
from doc_assets.documents.preflight import Limits, preflight, shown_alone
from doc_assets.errors import UnreadableDocumentError

_MESSAGE_CHARS = 300


class TiffDocument:
    """The pages of a TIFF.

    Args:
        content: the file.
        limits: what it may ask for.
        noise: what libraries print.

    Raises:
        UnreadableDocumentError: if it has no page, or breaks a limit on pages or pixels.
    """

    def __init__(self, content: FileContent, limits: Limits, noise: Noise) -> None:
        self._content, self._limits, self._noise = content, limits, noise
        self._structure = preflight(content.view, limits)

    @property
    def faults(self) -> Sequence[Fault]:
        """What is wrong with the chain of directories."""
        return self._structure.faults

    def __len__(self) -> int:
        return len(self._structure.pages)

    def page(self, index: int) -> RgbImage:
        """The page as (H, W, 3) uint8 RGB, upright.

        Raises:
            UnreadableDocumentError: with the code and the reason, if the page cannot be used.
            MemoryError: if the child's memory does not suffice.
        """
        page = self._structure.pages[index]
        if isinstance(page, Fault):
            raise UnreadableDocumentError(page.code, page.message)
        self._noise.take()  # what an earlier page left behind says nothing about this one
        with (
            shown_alone(self._content.view, self._structure, page),
            os.fdopen(os.dup(self._content.descriptor), "rb") as file,
        ):
            pixels = self._decoded(file)
        complaint = self._noise.take()
        if complaint:
            raise UnreadableDocumentError(FaultCode.DAMAGED, f"The decoder complained: {complaint}")
        return pixels

    def _decoded(self, file: BinaryIO) -> RgbImage:
        """Pillow first; tifffile for what Pillow cannot read."""
        try:
            return decoding.decode_with_pillow(file, self._limits.max_page_px)
        except MemoryError:
            raise
        except Exception as pillow_error:  # noqa: BLE001 - damaged files make readers raise anything
            try:
                file.seek(0)
                return decoding.decode_with_tifffile(file)
            except MemoryError:
                raise
            except Exception as error:
                raise UnreadableDocumentError(
                    FaultCode.DAMAGED,
                    f"No reader can decode it: Pillow: {_short(pillow_error)}; tifffile: {_short(error)}",
                ) from error


def _short(error: Exception) -> str:
    text = re.sub(r" ?<_io\.[A-Za-z]+[^>]*>", "", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:_MESSAGE_CHARS]
