#!/bin/sh
# Installs into /opt/venv: runtime (what the project needs), dev (what its tests need) or project (itself).
set -eu
python=/opt/venv/bin/python
if ls /wheelhouse/*.whl >/dev/null 2>&1; then
  from="--no-index --find-links /wheelhouse"
else
  from="--extra-index-url ${TORCH_INDEX_URL}"
fi
pip() { python3 -m pip --python "$python" "$@"; }

case $1 in
  runtime | dev)
    # shellcheck disable=SC2086 - two words
    pip install --no-input --constraint requirements.lock $from --requirement "/build/$1.txt"
    ;;
  project)
    # Editable: the project finds dagster.yaml beside its package, and a mounted source replaces it.
    # setuptools, which builds it, is not needed afterwards.
    version=$(grep '^setuptools==' requirements.lock)
    # shellcheck disable=SC2086
    pip install --no-input $from "$version"
    pip install --no-input --no-deps --no-build-isolation --editable .
    pip uninstall --yes setuptools
    "$python" -m compileall -q doc_assets
    ;;
esac
