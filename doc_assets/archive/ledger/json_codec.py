"""The one JSON codec of results: of the ledger's columns, and of the files that show the same values.

The fields of the data classes are the keys, in their order; a field that is ``Omitted`` is left out while it is None.
Keys that no field names are ignored, and fields with a default may be absent, so that rows of earlier versions decode.
"""

from functools import lru_cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field, TypeAdapter
from sqlalchemy import JSON, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from typing_extensions import override

JSON_TYPE = JSON().with_variant(JSONB(), "postgresql")
"""Of every column that holds JSON."""

Value = TypeVar("Value")
Omitted = Annotated[Value | None, Field(exclude_if=lambda value: value is None)]
"""A value, or None that JSON does not show."""


@lru_cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - what pydantic takes
    """Of a class, or of a tuple of one."""
    return TypeAdapter(kind)


def as_json(value: object) -> Any:  # noqa: ANN401 - JSON
    """A data class as dictionaries, lists, text and numbers."""
    kind: Any = type(value)
    return _adapter(kind).dump_python(value, mode="json")


def from_json(kind: type[Value], entry: object) -> Value:
    """The inverse of ``as_json``.

    Raises:
        pydantic.ValidationError: if it is no such value.
    """
    adapter: TypeAdapter[Value] = _adapter(cast("Any", kind))
    return adapter.validate_python(entry)


class JsonOf(TypeDecorator[Any]):
    """A JSON column whose values are of one type: a data class, or a tuple of one; None is JSON's null."""

    impl = JSON_TYPE
    cache_ok = True

    def __init__(self, kind: Any) -> None:  # noqa: ANN401 - as ``_adapter``
        super().__init__()
        self.kind = kind

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else _adapter(self.kind).dump_python(value, mode="json")

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else _adapter(self.kind).validate_python(value)
