"""What people say of two photos, and what follows from it for a case.

A verdict hangs on the two photos, by a key made of their content and of the documents that they stand in: searching
again makes new results and the same pairs, and what was decided stays decided. Rows are only added; one that withdraws
another undoes it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Photograph = Literal["same", "other_shot", "shared_thing", "different", "cannot_tell"]
"""First question: do both show the same photograph, another shot of the scene, the same printed thing?"""
Use = Literal["fraud", "renewal", "same_building", "test_document", "own_copy", "other"]
"""Second question, of the same photograph alone: re-used without right, or allowed and why."""
Stage = Literal["first", "second", "lead"]
CaseState = Literal["open", "second", "disputed", "decided", "gone"]
"""``open``: a pair has no verdict; ``second``: another person must judge it, without seeing the first verdict;
``disputed``: the two differ, a lead decides; ``gone``: nothing of it counts any more."""
UNDECIDED: tuple[CaseState, ...] = ("open", "second", "disputed")
STAGE_OF: dict[CaseState, Stage] = {"open": "first", "second": "second", "disputed": "lead"}
"""As whom somebody speaks who judges a case of this state."""
_SAMPLE_OF = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says of a pair; ``use`` is there for the same photograph, and for it alone."""

    photograph: Photograph
    use: Use | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the two do not go together."""
        if (self.photograph == "same") != (self.use is not None):
            raise ValueError(f"{self.photograph!r} with {self.use!r}: a use is said of the same photograph alone")

    @property
    def is_fraud(self) -> bool:
        """Whether it says that a photo was re-used without right."""
        return self.use == "fraud"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row of ``verdicts``; ``answer`` is None in one that only withdraws another.

    Attributes:
        verdict_id: grows with time.
        pair_key: of the two photos.
        case_id: in which it was said.
        stage: by the first person, a second one, or a lead.
        person: by name.
        at: when.
        answer: what was said.
        withdraws: the verdict that it undoes.
        snapshot: what the person saw: probability, embedder, versions.
    """

    verdict_id: int
    pair_key: str
    case_id: int
    stage: Stage
    person: str
    at: datetime
    answer: Answer | None
    withdraws: int | None
    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SecondReview:
    """Which cases a second person judges.

    Attributes:
        fraud: whether all in which somebody says fraud.
        share: of the others, in [0, 1]; which ones follows from their number, so that nobody chooses.
    """

    fraud: bool = True
    share: float = 0.0

    def wants(self, case_id: int, answers: Iterable[Answer]) -> bool:
        """Whether a case with these first answers goes to a second person."""
        if self.fraud and any(answer.is_fraud for answer in answers):
            return True
        drawn = int.from_bytes(hashlib.sha256(str(case_id).encode()).digest()[:8], "big") % _SAMPLE_OF
        return drawn < self.share * _SAMPLE_OF


def pair_key(one: tuple[str, str], other: tuple[str, str]) -> str:
    """The key of two photos, whichever comes first.

    Args:
        one: id of a document, and SHA-256 of its photo's bytes (of the file's, for the file as a whole).
        other: the same of the other photo.

    Returns:
        64 hexadecimal digits, from which neither a name nor a content can be read.
    """
    ordered = sorted("\0".join(each) for each in (one, other))
    return hashlib.sha256("\1".join(ordered).encode("utf-8", "surrogatepass")).hexdigest()


def in_force(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The newest verdict of each stage on each pair that was not withdrawn, in the order they were said."""
    newest: dict[tuple[str, Stage], Verdict] = {}
    ordered = sorted(verdicts, key=lambda each: each.verdict_id)
    withdrawn = {each.withdraws for each in ordered}
    for each in ordered:
        if each.answer is not None and each.verdict_id not in withdrawn:
            newest[each.pair_key, each.stage] = each
    return sorted(newest.values(), key=lambda each: each.verdict_id)


def final_answer(verdicts: Iterable[Verdict]) -> dict[str, Answer]:
    """By pair, what holds: a lead's word before that of the second person, which comes before the first one's."""
    said: dict[str, dict[Stage, Answer]] = defaultdict(dict)
    for each in in_force(verdicts):
        if each.answer is not None:
            said[each.pair_key][each.stage] = each.answer
    order: tuple[Stage, ...] = ("lead", "second", "first")
    return {key: next(stages[stage] for stage in order if stage in stages) for key, stages in said.items()}


def state_of(case_id: int, pair_keys: Sequence[str], verdicts: Iterable[Verdict], rule: SecondReview) -> CaseState:
    """What a case waits for."""
    if not pair_keys:
        return "gone"
    said: dict[Stage, dict[str, Answer]] = {"first": {}, "second": {}, "lead": {}}
    for each in in_force(verdicts):
        if each.answer is not None:
            said[each.stage][each.pair_key] = each.answer
    keys = set(pair_keys)
    if keys <= said["lead"].keys():
        return "decided"
    if not keys <= said["first"].keys():
        return "open"
    if not rule.wants(case_id, [said["first"][key] for key in keys]):
        return "decided"
    if not keys <= said["second"].keys():
        return "second"
    agree = all(_agree(said["first"][key], said["second"][key]) for key in keys - said["lead"].keys())
    return "decided" if agree else "disputed"


def _agree(one: Answer, other: Answer) -> bool:
    """Whether two people say the same where it matters; two reasons to allow a use are as good as one."""
    return one.photograph == other.photograph and one.is_fraud == other.is_fraud
