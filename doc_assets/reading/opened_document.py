"""Interface between the decoder child and the readers of file formats: one opened document, decoded page by page."""

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from doc_assets.datatypes import RgbImage
from doc_assets.faults import Fault

_MESSAGE_CHARACTERS = 300
_FILE_OBJECT = re.compile(r" ?<_io\.[A-Za-z]+[^>]*>")


@dataclass(frozen=True, slots=True)
class FileContent:
    """A document's bytes in anonymous memory, which belongs to this process alone.

    Attributes:
        descriptor: of that memory, for libraries that map a file instead of copying it.
        view: the same bytes, mapped; what is written here is seen through the descriptor.
    """

    descriptor: int
    view: mmap.mmap


class OpenedDocument(Protocol):
    """A document whose pages are known and not decoded yet."""

    @property
    def faults(self) -> Sequence[Fault]:
        """What is wrong with the document as a whole, and with pages that can be used all the same.

        Faults of the second kind are added while pages are read.
        """

    def __len__(self) -> int:
        """Number of pages, unusable ones among them."""

    def is_picture(self, index: int) -> bool:
        """Whether the page, once decoded, is one picture from edge to edge, and so may be a bare photo."""

    def page(self, index: int) -> RgbImage:
        """The page as (H, W, 3) uint8 RGB, upright, with square pixels.

        Raises:
            UnreadableDocumentError: with the code and the reason, if the page cannot be used.
            MemoryError: if the child's memory does not suffice.
        """


def in_words(error: Exception) -> str:
    """What a library raised, in one line without addresses in memory."""
    text = _FILE_OBJECT.sub("", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:_MESSAGE_CHARACTERS]
