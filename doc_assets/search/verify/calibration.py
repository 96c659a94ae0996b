"""What verdicts say of the pair model's probability: a slope and an intercept of its log-odds, kept as a file.

Nothing about a pair is learnt anew; only what a probability is worth. Pairs keep their order.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from upath import UPath

from doc_assets.errors import MissingModelError
from doc_assets.util.files import write_atomic

FOLDER, IN_USE = "calibration", "in_use.json"
"""Below the models' folder: every calibration that was taken, and a copy of the one in use."""
LEAST = 1e-6
"""Log-odds are taken of probabilities that are so far away from 0 and 1."""


@dataclass(frozen=True)
class Calibration:
    """A recalibration of probabilities: log-odds times ``slope`` plus ``intercept``.

    Attributes:
        slope: above 0.
        intercept: of the log-odds.
        lowest: the lowest probability that was judged. Below it nothing is known, so there a probability may become
            lower and never higher: pairs that nobody ever judged must not be flagged because of others.
        base: ``PairModel.base_id`` of the weights whose probabilities it is for.
    """

    slope: float
    intercept: float
    lowest: float
    base: str

    @cached_property
    def calibration_id(self) -> str:
        """Eight digits of the SHA-256 of its four values."""
        return _digest(asdict(self))[:8]

    def of(self, probability: float) -> float:
        """The recalibrated probability, in [0, 1]; it never falls as ``probability`` rises."""
        if probability >= 1:
            return 1.0
        changed = 1 / (1 + math.exp(-(self.slope * log_odds(probability) + self.intercept)))
        return min(probability, changed) if probability < self.lowest else changed


def log_odds(probability: float) -> float:
    """Log-odds of a probability that is kept ``LEAST`` away from 0 and 1."""
    kept = min(max(probability, LEAST), 1 - LEAST)
    return math.log(kept / (1 - kept))


def save_calibration(models: Path, calibration: Calibration, made: dict[str, Any], name: str) -> Path:
    """Files a calibration under a name and puts it into use; returns its file.

    Args:
        models: folder of models of the home.
        calibration: to be used from now on.
        made: how it was made: what it was learnt from and tested on, with the losses.
        name: of its file, without an ending.
    """
    content = {**asdict(calibration), "made": made}
    written = json.dumps(content | {"sha256": _digest(content)}, ensure_ascii=False, indent=1, allow_nan=False).encode()
    folder = models / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(UPath(folder / f"{name}.json"), written)
    write_atomic(UPath(folder / IN_USE), written)
    return folder / f"{name}.json"


def load_calibration(models: Path) -> tuple[Calibration, dict[str, Any]] | None:
    """The calibration in use and how it was made; None if there is none.

    Raises:
        MissingModelError: if its file is damaged.
    """
    path = models / FOLDER / IN_USE
    try:
        content = json.loads(path.read_bytes())
        digest = content.pop("sha256")
        slope, intercept, lowest = (float(content[name]) for name in ("slope", "intercept", "lowest"))
        found = Calibration(slope, intercept, lowest, str(content["base"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise MissingModelError(
            f"The calibration {path} cannot be read: {type(error).__name__}. {_remedy(path)}"
        ) from error
    if _digest(content) != digest or not found.slope > 0:
        raise MissingModelError(f"The calibration {path} differs from its own SHA-256. {_remedy(path)}")
    return found, dict(content["made"])


def _remedy(path: Path) -> str:
    return f"Copy another file of {path.parent} over it, or remove it: pairs are judged without a calibration then."


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
