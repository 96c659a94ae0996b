"""Finds components by name: one file per component, no list to edit."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from doc_assets.errors import SettingsError

Component = TypeVar("Component")


class Registry(Generic[Component]):
    """Classes of one kind by name; the package's modules are imported when a name is first asked for."""

    def __init__(self, kind: str, package: str) -> None:
        self._kind = kind
        self._package = package
        self._found: dict[str, type[Component]] = {}
        self._scanned = False

    def register(self, name: str) -> Callable[[type[Component]], type[Component]]:
        """Decorator that files a class under ``name``.

        Raises:
            ValueError: if the name is taken by another class.
        """

        def file_under(cls: type[Component]) -> type[Component]:
            if name in self._found:
                raise ValueError(f"Two {self._kind}s are named {name!r}: {self._found[name]} and {cls}")
            self._found[name] = cls
            return cls

        return file_under

    def names(self) -> Sequence[str]:
        """All names, sorted."""
        if not self._scanned:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
                importlib.import_module(module.name)
            self._scanned = True
        return sorted(self._found)

    def get(self, name: str) -> type[Component]:
        """The class of that name.

        Raises:
            SettingsError: if there is none.
        """
        names = self.names()
        if name not in names:
            raise SettingsError(f"No {self._kind} is named {name!r}; there are {', '.join(names)}.")
        return self._found[name]

    def make(self, name: str, options: Mapping[str, Any], setting: str) -> Component:
        """A component of that name with these options.

        Raises:
            SettingsError: if there is none of that name, or it does not take the options; names their ``setting``.
        """
        make = self.get(name)
        try:
            return make(**options)
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"{self._kind.capitalize()} {name!r} does not take {setting}={json.dumps(options)}: {error}"
            ) from error
