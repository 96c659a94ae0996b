#!/bin/sh
# Installs into /opt/venv: runtime (what the project needs), dev (what its tests need) or project (itself).
set -eu
python=/opt/venv/bin/python
if ls /wheelhouse/*.whl >/dev/null 2>&1; then
  export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse
fi
pip() { python3 -m pip --python "$python" "$@"; }

case $1 in
  runtime)
    python3 deploy/torch/install.py --python "$python"
    pip install --no-input --constraint requirements.lock --requirement /build/runtime.txt
    pip check
    ;;
  dev)
    pip install --no-input --constraint requirements.lock --requirement /build/dev.txt
    ;;
  project)
    # Editable: the project finds dagster.yaml beside its package, and a mounted source replaces it.
    # setuptools, which builds it, is not needed afterwards.
    pip install --no-input "$(grep '^setuptools==' requirements.lock)"
    pip install --no-input --no-deps --no-build-isolation --editable .
    pip uninstall --yes setuptools
    "$python" -m compileall -q doc_assets
    ;;
esac
