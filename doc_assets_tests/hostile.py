"""Names that somebody may give a file or write into a key table to do harm."""

NAMES = [
    "../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "file:///etc/passwd", "~root/.ssh/id_rsa", ".", "..",
    "*", "?", "[!a]*", "N*THA0000?", "**/x", "{a,b}", "%2e%2e%2fetc%2fpasswd", "%00",
    "x\0y", "x\ny", "x\r\nSet-Cookie: a=b",
    "\t=1+1", "=1+1", "=cmd|' /C calc'!A0", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1,1)", "\uff1d1+1",
    '=HYPERLINK("http://evil","click")', "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}",
    "{% raw %}", "'; DROP TABLE documents; --", "$(touch owned)", "`touch owned`", "${HOME}", "x; rm -rf y",
    "![x](http://evil/a.png)", "\u202egnp.fit", "가\u200b맹점", "a" * 255, "a" * 4096, "\ufffd\ufffd",
    "con", "nul.tif", " ", "",
]  # fmt: skip
