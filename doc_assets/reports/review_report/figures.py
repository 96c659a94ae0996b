"""The figures of a lead's report, computed from the ledger's rows; as JSON they are ``review.json``."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import COUNTED
from doc_assets.archive.ledger.review_figures import Arrival, OpenCase, Risk
from doc_assets.archive.ledger.verdicts import Answer, Stage, Verdict, final_answer, in_force
from doc_assets.reports.review_report.statistics import (
    PSI_LARGE,
    PSI_SOME,
    Reliability,
    Share,
    cohens_kappa,
    index_by_chance,
    reliability,
    share_of,
    stability_index,
    tukey_fences,
)

REFERENCE_DAYS = 30
"""Days before a period that drift is measured against; and of verdicts that a day's precision is of."""
RELIABILITY_DAYS = 90
AGREEMENT_MONTHS = 6
FEWEST_DOCUMENTS = 5
"""A branch or inspector with fewer documents in the period is not compared: its shares jump."""
AGES = ((0, 1), (2, 3), (4, 7), (8, 30), (31, None))
"""Ages of open cases in whole days, both ends included."""
RISK_EDGES = tuple(n / 10 for n in range(11))
PHOTO_COUNTS = 8
"""Documents with so many photos or more are one bin."""
STATES = ("ok", "partial", "rejected", "duplicate", "pending")
Measure = Literal["flagged", "rejected", "photos"]
MEASURES: tuple[Measure, ...] = ("flagged", "rejected", "photos")
Drifting = Literal["risk", "photos", "state"]
Level = Literal["stable", "some", "large", "by_chance", "no_reference", "nothing"]


@dataclass(frozen=True, slots=True)
class Period:
    """A day or month of the site.

    Attributes:
        name: ``2026-11-27`` or ``2026-11``.
        start, end: aware; the end does not belong to it.
    """

    name: str
    start: datetime
    end: datetime

    @property
    def is_month(self) -> bool:
        """Whether it is a month."""
        return len(self.name) == len("2026-11")


def period_of(name: str, timezone: str) -> Period:
    """The day ``YYYY-MM-DD`` or month ``YYYY-MM`` of that name in a time zone.

    Raises:
        ValueError: if it is neither.
    """
    zone = ZoneInfo(timezone)
    first = date.fromisoformat(name if len(name) > len("2026-11") else f"{name}-01")
    last = first + timedelta(days=1)
    if len(name) == len("2026-11"):
        last = _month_after(first)
    if name not in {first.isoformat(), first.isoformat()[:7]}:
        raise ValueError(f"{name!r} is neither a day, 2026-11-27, nor a month, 2026-11")
    return Period(name, _midnight(first, zone), _midnight(last, zone))


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of key tables that the report groups documents by.

    Attributes:
        sender: that names who sent a document; empty: the source of its drop stands for it.
        groups: of which outliers are looked for, as branch and inspector.
    """

    sender: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """How many things have a name."""

    name: str
    n: int


@dataclass(frozen=True, slots=True)
class Bin:
    """How many things lie in a bin; the last bin has no upper edge if ``high`` is None."""

    low: float
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Sender:
    """Documents of a sender, and how many of them were rejected."""

    name: str
    documents: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrived.

    Attributes:
        documents: all files.
        states: by what became of them.
        rejects: rejected ones by code of their reason, the most frequent first.
        senders: the ones with most rejected documents first.
        sender_column: by which they are told apart; empty for the source of the drop.
        without_sender: documents whose key table names no sender.
    """

    documents: int
    states: tuple[Count, ...]
    rejects: tuple[Count, ...]
    senders: tuple[Sender, ...]
    sender_column: str
    without_sender: int


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos per document that was read and cut; mean and median are None if there is none."""

    documents: int
    mean: float | None
    median: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Risks:
    """Risk of the documents that were searched for; the bins have a width of 0.1."""

    searched: int
    flagged: int
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Outlier:
    """A branch or inspector outside of the fences of a measure.

    Attributes:
        name: as in the key table.
        measure: ``flagged`` or ``rejected``, a share; ``photos``, a mean per document.
        value: of its documents.
        documents: how many it has.
        low, high: the fences.
    """

    name: str
    measure: Measure
    value: float
    documents: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OutlierTable:
    """Outliers among the values of a column.

    Attributes:
        column: of the key table.
        documents: of the period that have a value there.
        groups: values with ``FEWEST_DOCUMENTS`` or more, which alone are compared.
        outliers: in the order of their names, which is no ranking.
    """

    column: str
    documents: int
    groups: int
    outliers: tuple[Outlier, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a distribution moved from that of the thirty days before.

    Attributes:
        measure: which one.
        n, n_before: things in the period and before.
        index: population stability index; None if either side is empty.
        by_chance: what two samples of these sizes exceed once in twenty times without any drift.
        level: in a word; ``by_chance`` if the index is large and chance explains it.
    """

    measure: Drifting
    n: int
    n_before: int
    index: float | None
    by_chance: float | None
    level: Level


@dataclass(frozen=True, slots=True)
class Precision:
    """What people said of the pairs of a finding.

    Attributes:
        finding: why the pairs were asked about.
        pairs: with a verdict, ``cannot_tell`` included.
        cannot_tell: of these.
        same: share of the others that are one photograph.
        fraud: share of the others that were used without right.
    """

    finding: str
    pairs: int
    cannot_tell: int
    same: Share
    fraud: Share


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far first and second reviewers agree on pairs of a month.

    Attributes:
        month: ``2026-11``, by the second verdict.
        finding: why the pairs were asked about; empty for all together.
        n, observed, kappa: see ``statistics.Kappa``.
    """

    month: str
    finding: str
    n: int
    observed: float | None
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Cases that waited at the end of the period.

    Attributes:
        cases: all of them.
        ages: by whole days since they were opened.
        states: what they waited for; those judged since then are ``judged_since``.
    """

    cases: int
    ages: tuple[Bin, ...]
    states: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class ReviewReport:
    """Everything that the report of a period says.

    Attributes:
        period, start, end: see ``Period``.
        timezone: of the period.
        made_at: when it was computed.
        arrivals, photos, risks, outliers, drift: of the documents that arrived in the period.
        answers: pairs that were judged in the period, by what was said of them last.
        precision: of the pairs judged since ``precision_since``.
        agreement: of the last six months.
        backlog: at the end of the period.
        reliability: of the pairs judged in the last ninety days.
        pair_model: that judges pairs when the report is made.
    """

    period: str
    start: datetime
    end: datetime
    timezone: str
    made_at: datetime
    arrivals: Arrivals
    photos: Photos
    risks: Risks
    outliers: tuple[OutlierTable, ...]
    drift: tuple[Drift, ...]
    answers: tuple[Count, ...]
    precision_since: datetime
    precision: tuple[Precision, ...]
    agreement: tuple[Agreement, ...]
    backlog: Backlog
    reliability: Reliability
    pair_model: str


def review_report(
    ledger: Ledger, period: Period, timezone: str, columns: Columns, pair_model: str, now: datetime
) -> ReviewReport:
    """The figures of a period.

    Args:
        ledger: of the home.
        period: that has ended, or its part up to now.
        timezone: of the site; months of agreement are cut by it.
        columns: of key tables that documents are grouped by.
        pair_model: the id of the model in use, to be named.
        now: of this look.
    """
    figures = ledger.review_figures
    arrived = figures.arrivals(period.start, period.end)
    earlier = figures.arrivals(period.start - timedelta(days=REFERENCE_DAYS), period.start)
    table = _documents(arrived, figures.risks({each.drop_key for each in arrived}))
    before = _documents(earlier, figures.risks({each.drop_key for each in earlier}))
    first_month = _months_back(period.start.astimezone(ZoneInfo(timezone)), AGREEMENT_MONTHS - 1)
    since = period.start if period.is_month else period.end - timedelta(days=REFERENCE_DAYS)
    said = figures.verdicts(period.end - timedelta(days=RELIABILITY_DAYS), period.end, get_args(Stage))
    twice = figures.verdicts(first_month, period.end, ("second",))
    return ReviewReport(
        period=period.name,
        start=period.start,
        end=period.end,
        timezone=timezone,
        made_at=now,
        arrivals=_arrivals(table, columns.sender),
        photos=_photos(table),
        risks=_risks(table),
        outliers=tuple(_outliers(table, column) for column in columns.groups),
        drift=tuple(_drift(measure, table, before) for measure in ("risk", "photos", "state")),
        answers=_answers(_spoken_since(said, period.start)),
        precision_since=since,
        precision=precision_by_finding(_spoken_since(said, since)),
        agreement=agreement_by_month(twice, ZoneInfo(timezone)),
        backlog=_backlog(figures.open_cases(period.end), period.end),
        reliability=_reliability(said),
        pair_model=pair_model,
    )


def answer_name(answer: Answer) -> str:
    """An answer as one category: fraud and allowed apart, whatever the reason that allows it."""
    if answer.photograph != "same":
        return answer.photograph
    return "fraud" if answer.is_fraud else "allowed"


def precision_by_finding(said: Sequence[Verdict]) -> tuple[Precision, ...]:
    """What holds of the pairs that were spoken of, by the finding for which they were asked about."""
    answers: dict[str, list[str]] = defaultdict(list)
    finding = _findings(said)
    for key, answer in final_answer(said).items():
        answers[finding[key]].append(answer_name(answer))
    return tuple(_precision(name, answers[name]) for name in sorted(answers, key=_order_of_findings))


def agreement_by_month(said: Sequence[Verdict], zone: ZoneInfo) -> tuple[Agreement, ...]:
    """First against second verdicts in force, by the month of the second: all together, then by finding."""
    stages: dict[str, dict[str, Verdict]] = defaultdict(dict)
    for each in in_force(said):
        stages[each.pair_key][each.stage] = each
    finding = _findings(said)
    months: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for key, by_stage in stages.items():
        first, second = by_stage.get("first"), by_stage.get("second")
        if first is None or second is None or first.answer is None or second.answer is None:
            continue
        both = answer_name(first.answer), answer_name(second.answer)
        month = f"{second.at.astimezone(zone):%Y-%m}"
        months[month][""].append(both)
        months[month][finding[key]].append(both)
    lines = []
    for month in sorted(months, reverse=True):
        for name in sorted(months[month], key=_order_of_findings):
            kappa = cohens_kappa(months[month][name])
            lines.append(Agreement(month, name, kappa.n, kappa.observed, kappa.kappa))
    return tuple(lines)


# --- documents


def _documents(arrived: Sequence[Arrival], risks: Sequence[Risk]) -> Any:  # noqa: ANN401 - a pandas frame
    """A line per file; ``risk`` is missing where it was not searched for, ``photos`` where it was not cut."""
    import pandas as pd

    table = pd.DataFrame(
        {
            "drop": pd.Series([each.drop_key for each in arrived], dtype=object),
            "position": pd.Series([each.position for each in arrived], dtype="int64"),
            "source": pd.Series([each.source for each in arrived], dtype=object),
            "state": pd.Series([each.state for each in arrived], dtype=object),
            "code": pd.Series([each.reason_code for each in arrived], dtype=object),
            "photos": pd.Series([each.n_photos for each in arrived], dtype="float64"),
            "fields": pd.Series([each.fields for each in arrived], dtype=object),
        }
    )
    found = pd.DataFrame(
        {
            "drop": pd.Series([each.drop_key for each in risks], dtype=object),
            "position": pd.Series([each.position for each in risks], dtype="int64"),
            "risk": pd.Series([each.risk_score for each in risks], dtype="float64"),
            "flagged": pd.Series([float(each.flagged) for each in risks], dtype="float64"),
        }
    ).drop_duplicates(["drop", "position"])
    return table.merge(found, how="left", on=["drop", "position"])


def _arrivals(table: Any, column: str) -> Arrivals:  # noqa: ANN401 - a frame
    """Documents by state, reason and sender."""
    rejected = table[table.state == "rejected"]
    senders = _values(table, column) if column else table.source
    lines = [
        Sender(str(name), len(group), int((group.state == "rejected").sum()))
        for name, group in table.groupby(senders, sort=True)
    ]
    codes = Counter(str(code) for code in rejected.code)
    return Arrivals(
        documents=len(table),
        states=tuple(Count(state, n) for state in STATES if (n := int((table.state == state).sum()))),
        rejects=tuple(Count(code, n) for code, n in sorted(codes.items(), key=lambda each: (-each[1], each[0]))),
        senders=tuple(sorted(lines, key=lambda each: (-each.rejected, each.name))),
        sender_column=column,
        without_sender=int(senders.isna().sum()),
    )


def _values(table: Any, column: str) -> Any:  # noqa: ANN401 - a series
    """What a column of the key table says of each document; missing where it is absent or empty."""
    return table.fields.map(lambda fields: fields.get(column, "").strip() or None).astype(object)


def _cut(table: Any) -> Any:  # noqa: ANN401 - a series
    """Photos of the documents that were read and cut."""
    return table.photos[table.state.isin(["ok", "partial"])].dropna()


def _photos(table: Any) -> Photos:  # noqa: ANN401 - a frame
    photos = _cut(table)
    if photos.empty:
        return Photos(0, None, None, ())
    counts = _photo_counts(table)
    bins = [Bin(n, n if n < PHOTO_COUNTS else None, count) for n, count in enumerate(counts)]
    return Photos(len(photos), float(photos.mean()), float(photos.median()), tuple(bins))


def _photo_counts(table: Any) -> list[int]:  # noqa: ANN401 - a frame
    counted = _cut(table).clip(upper=PHOTO_COUNTS).astype("int64").value_counts()
    return [int(counted.get(n, 0)) for n in range(PHOTO_COUNTS + 1)]


def _risks(table: Any) -> Risks:  # noqa: ANN401 - a frame
    searched = table.risk.dropna()
    bins = [Bin(low, high, n) for low, high, n in zip(RISK_EDGES, RISK_EDGES[1:], _risk_counts(table), strict=False)]
    flagged = int(table.flagged[table.risk.notna()].sum())
    return Risks(len(searched), flagged, tuple(bins) if len(searched) else ())


def _risk_counts(table: Any) -> list[int]:  # noqa: ANN401 - a frame
    """By tenths; 1.0 is in the last bin. The small amount is for 0.3, which is less than three times 0.1."""
    places = (table.risk.dropna() * 10 + 1e-9).astype("int64").clip(0, 9).value_counts()
    return [int(places.get(n, 0)) for n in range(10)]


def _state_counts(table: Any) -> list[int]:  # noqa: ANN401 - a frame
    return [int((table.state == state).sum()) for state in STATES]


_MEASURED: dict[Measure, Callable[[Any], float | None]] = {
    "flagged": lambda group: _mean(group.flagged[group.risk.notna()]),
    "rejected": lambda group: _mean(group.state == "rejected"),
    "photos": lambda group: _mean(_cut(group)),
}


def _mean(values: Any) -> float | None:  # noqa: ANN401 - a series
    return float(values.mean()) if len(values) else None


def _outliers(table: Any, column: str) -> OutlierTable:  # noqa: ANN401 - a frame
    values = _values(table, column)
    groups = {str(name): group for name, group in table.groupby(values) if len(group) >= FEWEST_DOCUMENTS}
    outliers = []
    for measure in MEASURES:
        measured = {name: value for name, group in groups.items() if (value := _MEASURED[measure](group)) is not None}
        fences = tukey_fences(list(measured.values()))
        if fences is not None:
            low, high = fences
            outliers += [
                Outlier(name, measure, value, len(groups[name]), low, high)
                for name, value in measured.items()
                if not low - 1e-12 <= value <= high + 1e-12
            ]
    outliers.sort(key=lambda each: (each.name, MEASURES.index(each.measure)))
    return OutlierTable(column, int(values.notna().sum()), len(groups), tuple(outliers))


_DRIFTING: dict[Drifting, Callable[[Any], list[int]]] = {
    "risk": _risk_counts,
    "photos": _photo_counts,
    "state": _state_counts,
}


def _drift(measure: Drifting, table: Any, before: Any) -> Drift:  # noqa: ANN401 - frames
    now, then = _DRIFTING[measure](table), _DRIFTING[measure](before)
    index = stability_index(now, then)
    if index is None:
        return Drift(measure, sum(now), sum(then), None, None, "no_reference" if sum(now) else "nothing")
    n_bins = sum(one + other > 0 for one, other in zip(now, then, strict=True))
    chance = index_by_chance(n_bins, sum(now), sum(then))
    return Drift(measure, sum(now), sum(then), index, chance, _level(index, chance))


def _level(index: float, chance: float) -> Level:
    if index < PSI_SOME:
        return "stable"
    if index <= chance:
        return "by_chance"
    return "large" if index >= PSI_LARGE else "some"


# --- verdicts and cases


def _spoken_since(said: Sequence[Verdict], since: datetime) -> list[Verdict]:
    """All that was said of the pairs of which somebody spoke since then."""
    keys = {each.pair_key for each in said if each.at >= since}
    return [each for each in said if each.pair_key in keys]


def _findings(said: Iterable[Verdict]) -> dict[str, str]:
    """By pair, the finding that people saw beside it; the newest one, "" where none was kept."""
    found: dict[str, str] = defaultdict(str)
    found.update({each.pair_key: str(each.snapshot["finding"]) for each in said if "finding" in each.snapshot})
    return found


def _order_of_findings(name: str) -> tuple[int, str]:
    """Those that count by their gravity, others behind; all together first."""
    order = ("", *COUNTED)
    return (order.index(name) if name in order else len(order), name)


def _answers(said: Sequence[Verdict]) -> tuple[Count, ...]:
    counted = Counter(answer_name(answer) for answer in final_answer(said).values())
    order = ("fraud", "allowed", "other_shot", "shared_thing", "different", "cannot_tell")
    return tuple(Count(name, counted[name]) for name in order if counted[name])


def _precision(finding: str, answers: Collection[str]) -> Precision:
    told = [answer for answer in answers if answer != "cannot_tell"]
    same = sum(answer in {"fraud", "allowed"} for answer in told)
    fraud = sum(answer == "fraud" for answer in told)
    unsure = len(answers) - len(told)
    return Precision(finding, len(answers), unsure, share_of(same, len(told)), share_of(fraud, len(told)))


def _reliability(said: Sequence[Verdict]) -> Reliability:
    """Of the pairs that people could tell, by the probability that they saw; identical files have none to test."""
    seen = {each.pair_key: _probability(each.snapshot) for each in said if each.answer is not None}
    told = [
        (probability, answer.photograph == "same")
        for key, answer in final_answer(said).items()
        if answer.photograph != "cannot_tell" and (probability := seen[key]) is not None
    ]
    return reliability([probability for probability, _ in told], [same for _, same in told])


def _probability(snapshot: Mapping[str, Any]) -> float | None:
    return float(snapshot["probability"]) if snapshot.get("similarity") is not None else None


def _backlog(cases: Sequence[OpenCase], at: datetime) -> Backlog:
    ages = [(at - each.opened_at).days for each in cases]
    bins = [Bin(low, high, sum(low <= age and (high is None or age <= high) for age in ages)) for low, high in AGES]
    states = Counter[str](each.state or "judged_since" for each in cases)
    order = ("open", "second", "disputed", "judged_since")
    return Backlog(len(cases), tuple(bins), tuple(Count(name, states[name]) for name in order if states[name]))


# --- days and months


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _month_after(first: date) -> date:
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def _months_back(at: datetime, months: int) -> datetime:
    """The first moment of the month so many months before that of ``at``."""
    number = at.year * 12 + at.month - 1 - months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=at.tzinfo)
