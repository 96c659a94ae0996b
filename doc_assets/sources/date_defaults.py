"""Where dates of documents stand unless the settings say otherwise; apart, so that settings need no NumPy."""

DATE_COLUMNS = ("수신일자", "수신 일자", "수신일", "수신일시", "접수일자", "접수 일자", "접수일", "접수일시")

NAME_PATTERNS = (
    "^[Nn]([0-9]{8})",
    "(?<![0-9])(?:[0-9]{8}|[0-9]{14}|[0-9]{4}(?:-[0-9]{1,2}-|[.][0-9]{1,2}[.])[0-9]{1,2}|[0-9]{4}_[0-9]{2}_[0-9]{2}"
    "|[0-9]{4}년 ?[0-9]{1,2}월 ?[0-9]{1,2}일)(?![0-9])",
)
"""Names of the archive (``N2024012000066THA00100001_8``), then a date that stands by itself (``20240120``,
``2024-01-20``, ``20240120103000``)."""
