"""Carries the product to a machine without a network, as one file."""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path

from deploy.ops.engine import TREE, OperatorError, say
from deploy.ops.install import install


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 done, 1 refused or failed, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="airgap", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("bundle", help="on a connected machine: images, wheels, models and this tree as one file")
    make.add_argument("--to", type=Path, required=True, help="folder that the bundle is written into")
    make.add_argument("--file", action="append", default=[], help="compose file; may be repeated")
    make.add_argument("--models", type=Path, default=TREE / "appdata" / "models", help="folder of added models")
    make.add_argument("--without-wheelhouse", action="store_true", help="images can be run there, not built")
    put = verbs.add_parser("install", help="on the other one: check the bundle, load its images, lay out its files")
    put.add_argument("bundle", type=Path)
    put.add_argument("--to", type=Path, default=Path("doc_assets"), help="folder of the installation")
    put.add_argument("--sha256", default="", help="digest of the bundle, as `bundle` printed it")
    asked = parser.parse_args(arguments)
    try:
        if asked.verb == "bundle":
            from deploy.ops.bundle import bundle  # is not carried along

            bundle(asked.to, asked.file, asked.models, with_wheelhouse=not asked.without_wheelhouse)
        else:
            install(asked.bundle, asked.to.resolve(), asked.sha256)
    except (OperatorError, OSError, tarfile.TarError) as error:
        say(f"airgap: {error}")
        return 1
    return 0
