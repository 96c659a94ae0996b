"""Prints the parts list (CycloneDX 1.5) of the image it runs in: Python packages and Debian packages."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import PackageMetadata, distributions


def _python() -> list[dict[str, object]]:
    parts: list[dict[str, object]] = []
    for found in distributions():
        name, licence = found.metadata["Name"], _licence(found.metadata)
        part: dict[str, object] = {
            "type": "library",
            "name": name,
            "version": found.version,
            "purl": f"pkg:pypi/{name.lower()}@{found.version}",
        }
        if licence:
            part["licenses"] = [{"license": {"name": licence.splitlines()[0][:100]}}]
        parts.append(part)
    return parts


def _licence(metadata: PackageMetadata) -> str | None:
    """As the package states it: an expression, a name, or classifiers."""
    classified = [
        line.rsplit(" :: ", 1)[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License :: ")
    ]
    stated = metadata["License-Expression"] or metadata["License"] or " OR ".join(classified)
    return str(stated).strip() or None if stated else None


def _debian() -> list[dict[str, object]]:
    if shutil.which("dpkg-query") is None:
        return []
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n"]
    lines = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split(" ", 1) for line in lines]
    return [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:deb/debian/{name}@{version}"}
        for name, version in rows
    ]


parts = sorted(_python() + _debian(), key=lambda part: str(part["purl"]))
json.dump({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": parts}, sys.stdout, indent=1)
