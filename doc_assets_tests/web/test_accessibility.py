"""The desk for everybody: WCAG 2.2 AA as far as axe-core can tell, large letters, and without single keys."""

from pathlib import Path

import pytest

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets_tests.web import test_browser
from doc_assets_tests.web.conftest import PASSWORD
from doc_assets_tests.web.home import REPORTED

pytestmark = pytest.mark.slow

home, address, browse = test_browser.home, test_browser.address, test_browser.browse

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WAYS = [("ko", "light"), ("en", "dark")]
ACCOUNT_PAGES = {
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/sessions/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/accounts/logout/",
}


@pytest.fixture(scope="module")
def axe():
    """The source of axe-core."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed (extra dev)")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


WITH_CODES = (
    "/accounts/2fa/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
)


def _told(found):
    """Violations in one text, empty without any."""
    return "\n".join(f"{name}: {each}" for name, rules in found.items() for each in rules)


def _code(secret):
    """What an authenticator app shows now."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def _violations(page, axe):
    """What axe-core finds wrong on a page: rule, and where."""
    page.evaluate(axe)  # by the browser's debugger, which no policy of the page concerns
    found = page.evaluate("(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    assert found["passes"], "nothing was looked at"
    return [
        (rule["id"], node["target"], node["html"][:120], node.get("failureSummary", "")[:200])
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def _pages(ledger):
    """Addresses of a page of every kind that reviewers see."""
    case = CaseFilter()
    first = ledger.cases.page(case, 1)[0]
    pair = ledger.cases.pairs([first.case_id])[first.case_id][-1]
    group = next(iter(ledger.groups.of_rows([first.row_id]).values()))
    return {
        "queue": "/",
        "queue, filtered": "/?finding=reuse&order=age",
        "queue, empty": "/?text=nothing-is-called-this",
        "case": f"/cases/{first.case_id}",
        "case, second pair": f"/cases/{first.case_id}?pair=1",
        "document": f"/documents/{first.row_id}",
        "earlier document": f"/documents/{pair.other_row}",
        "merchants": "/merchants",
        "merchant": f"/merchants?document={first.row_id}",
        "group": f"/groups/{group}",
        "comparison": f"/compare?own={first.row_id}&other={pair.other_row}",
        "comparison, unnamed": "/compare",
        "profile": "/profile",
        "help": "/help",
        "audit": "/audit",
        "printed case": f"/cases/{first.case_id}/print",
        "search": "/search",
        "searches": "/searches",
        "statistics": "/statistics",
        "report": f"/statistics/{REPORTED}",
    }


@pytest.mark.parametrize(("language", "scheme"), WAYS)
def test_no_page_has_a_violation(browse, home, axe, language, scheme):
    with test_browser._ledger(home) as ledger:
        ledger.saved_filters.save("lead", "mine", "finding=reuse", ledger.cases.page(CaseFilter(), 1)[0].opened_at)
        pages = _pages(ledger)
    found = {}
    with browse(language, scheme=scheme, name="lead") as seen:
        for name, path in pages.items():
            seen.go(path)
            seen.page.wait_for_load_state("networkidle")
            found[name] = _violations(seen.page, axe)
            if name.startswith("case"):
                seen.page.keyboard.press("a")
                found[f"{name}, reasons"] = _violations(seen.page, axe)
                seen.page.keyboard.press("Escape")
        seen.go(pages["group"])
        seen.page.check("[name=pair] >> nth=0")
        seen.page.select_option("[name=answer]", "different:")
        with seen.page.expect_navigation():
            seen.page.click(".decide button")
        found["preview"] = _violations(seen.page, axe)
    assert _told(found) == ""


@pytest.mark.parametrize(("language", "scheme"), WAYS)
def test_no_page_of_accounts_has_a_violation(browse, axe, language, scheme):
    found = {}
    with browse(language, scheme=scheme) as seen:
        for path in sorted(ACCOUNT_PAGES):
            _go_as_oneself(seen, path)
            assert path in seen.page.url
            found[path] = _violations(seen.page, axe)
        seen.page.goto(f"{seen.address}/accounts/logout/")
        with seen.page.expect_navigation():
            seen.page.click("main button")
        seen.go("/accounts/login/")
        found["login"] = _violations(seen.page, axe)
        seen.page.fill("[name=login]", "reviewer")
        seen.page.fill("[name=password]", f"not {PASSWORD}")
        with seen.page.expect_navigation():
            seen.page.keyboard.press("Enter")
        found["login, refused"] = _violations(seen.page, axe)
        found["login, with a code"] = _with_code(seen, axe, found)
    assert _told(found) == ""


def _go_as_oneself(seen, path):
    """To a page of accounts, with the password again where it is asked for."""
    seen.go(path)
    if "/reauthenticate" in seen.page.url and "/reauthenticate" not in path:
        seen.page.fill("[name=password]", PASSWORD)
        with seen.page.expect_navigation():
            seen.page.keyboard.press("Enter")


def _with_code(seen, axe, found):
    """Adds a second factor, looks at its pages, and signs in with it as far as the page that asks for the code."""
    seen.sign_in("second")
    _go_as_oneself(seen, "/accounts/2fa/totp/activate/")
    secret = seen.page.input_value("#authenticator_secret")
    seen.page.fill("[name=code]", _code(secret))
    with seen.page.expect_navigation():
        seen.page.keyboard.press("Enter")
    for path in WITH_CODES:
        _go_as_oneself(seen, path)
        found[f"{path} with a second factor"] = _violations(seen.page, axe)
    seen.page.goto(f"{seen.address}/accounts/logout/")
    with seen.page.expect_navigation():
        seen.page.click("main button")
    seen.sign_in("second")
    assert "/2fa/authenticate" in seen.page.url
    return _violations(seen.page, axe)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_letters_of_twice_the_size_need_no_scrolling_to_the_side(browse, home, language):
    with test_browser._ledger(home) as ledger:
        pages = _pages(ledger)
    wide = {}
    with browse(language, size=(720, 450), name="lead") as seen:  # 1440 x 900 at 200 %
        for name, path in pages.items():
            seen.go(path)
            wide[name] = seen.page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 720} == {}


def test_single_keys_can_be_switched_off_and_on(browse, home):
    with browse("en") as seen:
        seen.go("/profile")
        with seen.page.expect_navigation():
            seen.page.click("[name=shortcuts]")
        assert "Single keys do nothing" in seen.page.inner_text("main")

        seen.go("/")
        with seen.page.expect_navigation():
            seen.page.click("[data-key=j]")
        seen.ready()
        here = seen.page.url
        for key in ("n", "y", "4", "j", "q", "?", "]"):
            seen.page.keyboard.press(key)
        seen.page.wait_for_timeout(500)
        assert seen.page.url == here
        assert seen.page.get_attribute("[data-mode=side]", "aria-pressed") == "true"
        assert not seen.page.locator("kbd").first.is_visible()
        with test_browser._ledger(home) as ledger:
            assert test_browser._every_verdict(ledger) == []

        with seen.page.expect_navigation():
            seen.page.click("[data-key=n]")  # buttons work as ever
        seen.go("/profile")
        with seen.page.expect_navigation():
            seen.page.click("[name=shortcuts]")
        seen.go("/")
        seen.press("j")
        assert "/cases/" in seen.page.url
        with test_browser._ledger(home) as ledger:
            assert len({row.case_id for row in test_browser._every_verdict(ledger)}) == 1
