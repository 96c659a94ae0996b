"""Prints the parts list (CycloneDX 1.5) of the image it runs in: Python packages and Debian packages."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import distributions


def _python() -> list[dict[str, object]]:
    parts: list[dict[str, object]] = []
    for found in distributions():
        name, licence = (
            found.metadata["Name"],
            found.metadata.get("License-Expression") or found.metadata.get("License"),
        )
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
