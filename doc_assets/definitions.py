"""The composition root: everything in ``defs/`` as one code location."""

import warnings
from pathlib import Path

import dagster as dg

# Dagster warns of a parameter that nobody gave whenever it copies a sensor of an op job, at every load.
warnings.filterwarnings("ignore", r"Parameter `owners` of initializer `SensorDefinition", dg.BetaWarning)


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources."""
    # Dagster says with each step that dagster.yaml's log handlers are a beta feature.
    warnings.filterwarnings("ignore", message=r"[\s\S]*yaml-defined logging configuration")
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
