"""The sections of a lead's report: the same notes, tables and charts for the page, the desk and the workbook."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup

from doc_assets.reports.review_report.charts import bar_chart, reliability_chart
from doc_assets.reports.review_report.figures import FEWEST_DOCUMENTS, Agreement, Bin, Outlier, Precision, ReviewReport
from doc_assets.reports.review_report.statistics import FEWEST_GROUPS, Share
from doc_assets.reports.review_report.wording import WORDS
from doc_assets.reports.wording import FINDINGS, Text

Kind = Literal["text", "count", "share", "number", "fine"]
"""How a column's cells are shown: as they are, with thousands, in per cent, with two or with three decimals."""
_MOST_SENDERS = 50


@dataclass(frozen=True, slots=True)
class Said:
    """A text of ``WORDS`` with its values."""

    name: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> Text:
        """It in both languages."""
        text = WORDS[self.name]
        return Text(*(self._filled(getattr(text, side), side) for side in ("ko", "en"))) if self.values else text

    def _filled(self, text: str, side: str) -> str:
        """A text with its values; one of both languages in that language."""
        values = {
            name: getattr(value, side) if isinstance(value, Text) else value for name, value in self.values.items()
        }
        return text.format(**values)


Cell = Text | str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        columns: name in ``WORDS`` and kind of each.
        rows: a cell per column; None for what is not known.
    """

    columns: tuple[tuple[str, Kind], ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report.

    Attributes:
        key: of its heading in ``WORDS``.
        notes: said above table and chart; an empty section says here why.
        table: None if there is nothing to list.
        chart: None if there is nothing to draw.
        legend: what stands across and up in the chart.
        hints: how to read it, said below.
    """

    key: str
    notes: tuple[Said, ...] = ()
    table: Table | None = None
    chart: Markup | None = None
    legend: Said | None = None
    hints: tuple[Said, ...] = ()


def sections(report: ReviewReport) -> list[Section]:
    """The report's sections in their order."""
    return [
        _summary(report),
        _arrivals(report),
        _rejects(report),
        _photos(report),
        _risks(report),
        _outliers(report),
        _drift(report),
        _precision(report),
        _agreement(report),
        _backlog(report),
        _reliability(report),
    ]


def finding_text(name: str) -> Text:
    """What a finding is called; "" stands for all of them together."""
    known: dict[str, Text] = {str(kind): text for kind, text in FINDINGS.items()}
    return known.get(name, WORDS["unknown_finding"])


def _summary(report: ReviewReport) -> Section:
    arrivals = report.arrivals
    rejected = sum(each.n for each in arrivals.states if each.name == "rejected")
    shifts = sum(each.level in {"some", "large"} for each in report.drift)
    figures = (
        ("sum_documents", arrivals.documents),
        ("sum_rejected", rejected),
        ("sum_flagged", report.risks.flagged),
        ("sum_judged", sum(each.n for each in report.answers)),
        ("sum_waiting", report.backlog.cases),
        ("sum_drift", shifts),
    )
    rows = tuple((WORDS[name], n) for name, n in figures)
    notes = () if arrivals.documents else (Said("nothing_arrived"),)
    return Section("summary", notes, Table((("figure", "text"), ("value", "count")), rows))


def _arrivals(report: ReviewReport) -> Section:
    arrivals = report.arrivals
    if not arrivals.documents:
        return Section("arrivals", (Said("nothing_arrived"),))
    rows = tuple((WORDS[f"state_{each.name}"], each.n, each.n / arrivals.documents) for each in arrivals.states)
    return Section("arrivals", table=Table((("state", "text"), ("documents", "count"), ("share", "share")), rows))


def _rejects(report: ReviewReport) -> Section:
    arrivals = report.arrivals
    if not arrivals.rejects:
        return Section("rejects", (Said("nothing_rejected" if arrivals.documents else "nothing_arrived"),))
    by_code = ", ".join(f"{each.name} {each.n}" for each in arrivals.rejects)
    column = arrivals.sender_column
    notes = [Said("sender_is_column", {"column": column}) if column else Said("sender_is_source")]
    if column and arrivals.without_sender:
        notes.append(Said("without_sender", {"n": arrivals.without_sender}))
    rows = tuple(
        (each.name, each.documents, each.rejected, each.rejected / each.documents)
        for each in arrivals.senders[:_MOST_SENDERS]
        if each.rejected
    )
    columns: tuple[tuple[str, Kind], ...] = (
        ("sender", "text"),
        ("documents", "count"),
        ("rejected", "count"),
        ("share", "share"),
    )
    return Section("rejects", (Said("codes", {"codes": by_code}), *notes), Table(columns, rows) if rows else None)


def _photos(report: ReviewReport) -> Section:
    photos = report.photos
    if photos.mean is None or photos.median is None:
        return Section("photos", (Said("nothing_cut"),))
    said = {"documents": f"{photos.documents:,}", "mean": f"{photos.mean:.2f}", "median": f"{photos.median:g}"}
    bars = [(f"{each.low:g}" if each.high is not None else f"{each.low:g}+", each.n) for each in photos.bins]
    return Section(
        "photos",
        (Said("photos_mean", said),),
        chart=bar_chart(bars, "photos-legend"),
        legend=Said("chart_photos"),
        table=Table((("n_photos", "text"), ("documents", "count")), tuple(bars)),
    )


def _risks(report: ReviewReport) -> Section:
    risks = report.risks
    if not risks.searched:
        return Section("risks", (Said("nothing_searched"),))
    bars = [(_edges(each), each.n) for each in risks.bins]
    return Section(
        "risks",
        (Said("risks_says", {"searched": f"{risks.searched:,}", "flagged": f"{risks.flagged:,}"}),),
        chart=bar_chart(bars, "risks-legend"),
        legend=Said("chart_risks"),
        table=Table((("risk", "text"), ("documents", "count")), tuple(bars)),
    )


def _edges(each: Bin) -> str:
    return f"{each.low:.1f}–{each.high:.1f}"


def _outliers(report: ReviewReport) -> Section:
    if not report.outliers:
        return Section("outliers", (Said("no_columns"),))
    notes, rows = [], []
    for table in report.outliers:
        named = {"column": table.column, "groups": table.groups}
        if not table.documents:
            notes.append(Said("no_column", {"column": table.column}))
        elif table.groups < FEWEST_GROUPS:
            notes.append(Said("few_groups", named | {"fewest": FEWEST_DOCUMENTS, "wanted": FEWEST_GROUPS}))
        elif not table.outliers:
            notes.append(Said("no_outlier", named))
        rows += [_outlier(table.column, each) for each in table.outliers]
    columns: tuple[tuple[str, Kind], ...] = (
        ("column", "text"),
        ("name", "text"),
        ("measure", "text"),
        ("value", "text"),
        ("range", "text"),
        ("documents", "count"),
    )
    return Section(
        "outliers", tuple(notes), Table(columns, tuple(rows)) if rows else None, hints=(Said("outlier_rule"),)
    )


def _outlier(column: str, each: Outlier) -> tuple[Cell, ...]:
    def shown(value: float) -> str:
        return f"{value:.2f}" if each.measure == "photos" else f"{value:.1%}"

    fences = f"{shown(each.low)} – {shown(each.high)}"
    return column, each.name, WORDS[f"measure_{each.measure}"], shown(each.value), fences, each.documents


def _drift(report: ReviewReport) -> Section:
    rows = tuple(
        (
            WORDS[f"drift_{each.measure}"],
            each.n,
            each.n_before,
            each.index,
            each.by_chance,
            WORDS[f"level_{each.level}"],
        )
        for each in report.drift
    )
    columns: tuple[tuple[str, Kind], ...] = (
        ("measure", "text"),
        ("now", "count"),
        ("before", "count"),
        ("psi", "fine"),
        ("chance", "fine"),
        ("level", "text"),
    )
    return Section("drift", table=Table(columns, rows), hints=(Said("drift_rule"),))


def _precision(report: ReviewReport) -> Section:
    since = Said("precision_rule", {"since": f"{report.precision_since:%Y-%m-%d}"})
    if not report.precision:
        return Section("precision", (Said("nothing_judged"),), hints=(since,))
    columns: tuple[tuple[str, Kind], ...] = (
        ("finding", "text"),
        ("pairs", "count"),
        ("cannot_tell", "count"),
        ("same", "text"),
        ("fraud", "text"),
    )
    rows = tuple(_precision_row(each) for each in report.precision)
    return Section("precision", table=Table(columns, rows), hints=(since,))


def _precision_row(each: Precision) -> tuple[Cell, ...]:
    return (
        finding_text(each.finding),
        each.pairs,
        each.cannot_tell,
        _with_interval(each.same),
        _with_interval(each.fraud),
    )


def _with_interval(share: Share) -> str | None:
    if share.share is None or share.low is None or share.high is None:
        return None
    return f"{share.share:.1%} ({share.low:.1%} – {share.high:.1%})"


def _agreement(report: ReviewReport) -> Section:
    if not report.agreement:
        return Section("agreement", (Said("nobody_twice"),), hints=(Said("agreement_rule"),))
    columns: tuple[tuple[str, Kind], ...] = (
        ("month", "text"),
        ("finding", "text"),
        ("pairs", "count"),
        ("observed", "share"),
        ("kappa", "text"),
    )
    rows = tuple(_agreement_row(each) for each in report.agreement)
    return Section("agreement", table=Table(columns, rows), hints=(Said("agreement_rule"),))


def _agreement_row(each: Agreement) -> tuple[Cell, ...]:
    name = finding_text(each.finding) if each.finding else WORDS["every_finding"]
    kappa = WORDS["one_answer_only"] if each.kappa is None else f"{each.kappa:.2f}"
    return each.month, name, each.n, each.observed, kappa


def _backlog(report: ReviewReport) -> Section:
    backlog = report.backlog
    if not backlog.cases:
        return Section("backlog", (Said("nothing_waits"),))
    ages = [(_age(each), each.n) for each in backlog.ages]
    states = [(WORDS[f"waits_{each.name}"], each.n) for each in backlog.states]
    waiting = Text(*(", ".join(f"{getattr(text, side)} {n:,}" for text, n in states) for side in ("ko", "en")))
    return Section(
        "backlog",
        (Said("backlog_says", {"cases": f"{backlog.cases:,}"}), Said("waiting_for", {"states": waiting})),
        chart=bar_chart(ages, "backlog-legend"),
        legend=Said("chart_backlog"),
        table=Table((("age", "text"), ("cases", "count")), tuple(ages)),
    )


def _age(each: Bin) -> str:
    return f"{each.low:g}–{each.high:g}" if each.high is not None else f"{each.low:g}+"


def _reliability(report: ReviewReport) -> Section:
    measured, model = report.reliability, Said("pair_model", {"model": report.pair_model})
    if measured.log_loss is None or measured.brier is None:
        return Section("reliability", (model, Said("nothing_judged")))
    losses = {"n": f"{measured.n:,}", "log_loss": f"{measured.log_loss:.4f}", "brier": f"{measured.brier:.4f}"}
    columns: tuple[tuple[str, Kind], ...] = (
        ("probability", "text"),
        ("pairs", "count"),
        ("mean_probability", "fine"),
        ("same", "text"),
    )
    rows = tuple(
        (f"{each.low:g}–{each.high:g}", each.same.n, each.mean, _with_interval(each.same)) for each in measured.bins
    )
    return Section(
        "reliability",
        (model, Said("reliability_says", losses)),
        Table(columns, rows),
        reliability_chart(measured.bins, "reliability-legend"),
        Said("chart_reliability"),
        (Said("reliability_rule"),),
    )


def tables_of(report: ReviewReport) -> Iterator[tuple[Section, Table]]:
    """Sections that have a table, with it."""
    for section in sections(report):
        if section.table is not None:
            yield section, section.table


def shown(cell: Any, kind: Kind) -> Any:  # noqa: ANN401 - a cell
    """A cell as text; a text of both languages as it is, "–" for what is not known."""
    if cell is None:
        return "–"
    if isinstance(cell, str | Text):
        return cell
    formats: dict[Kind, str] = {"count": ",", "share": ".1%", "number": ".2f", "fine": ".3f", "text": ""}
    return format(cell, formats[kind])


def kinds_of(table: Table) -> Sequence[Kind]:
    """Kinds of its columns."""
    return [kind for _, kind in table.columns]
