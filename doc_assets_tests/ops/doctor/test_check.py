import sys
import threading

from doc_assets.ops.doctor.check import Check, green, run_checks


def test_a_check_that_breaks_exits_or_hangs_is_a_red_line_and_the_others_are_run():
    never = threading.Event()

    def hang():
        never.wait()
        return green("late")

    checks = [
        Check("a", "breaks", lambda: 1 // 0),
        Check("a", "exits", lambda: sys.exit(0)),
        Check("a", "hangs", hang),
        Check("b", "works", lambda: green("well")),
    ]

    lines = run_checks(checks, time_limit_s=0.2)
    never.set()

    assert [(line.name, line.level) for line in lines] == [
        ("breaks", "red"),
        ("exits", "red"),
        ("hangs", "red"),
        ("works", "green"),
    ]
    assert all(line.fix for line in lines[:3])
    assert "ZeroDivisionError" in lines[0].says
    assert "no answer within 0.2 s" in lines[2].says


def test_what_a_check_says_stays_on_one_line():
    (line,) = run_checks([Check("a", "b", lambda: green("first\nsecond\tthird"))])

    assert line.says == "first second third"
