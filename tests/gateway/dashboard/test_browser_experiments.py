"""The page of the experiments in a real browser: looks, axe, keyboard, the reset, and names that are HTML."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, expect
from starlette.applications import Starlette

from gateway.admin.console import Console
from gateway.admin.guard import Guard
from gateway.admin.routes import create_app
from gateway.draining import Draining
from gateway.experiments.known import Census
from gateway.fleet import Alone
from tests.browser import DESK, PHONE, chromium, picture, tab
from tests.e2e.conftest import serving
from tests.gateway.admin.test_experiments import Slow
from tests.gateway.experiments.known_ones import CENSUS, HTML, NOTHING, ODDITIES, FakeDesk
from tests.gateway.pipeline import pipeline, policy_set

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOOKS: dict[str, tuple[Literal["light", "dark"], ViewportSize]] = {
    "light": ("light", DESK),
    "dark": ("dark", DESK),
    "phone": ("light", PHONE),
}
ALL: dict[str, Census] = {"every-state": CENSUS, "oddities": ODDITIES, "nothing": NOTHING}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@contextmanager
def listener(desk: FakeDesk | Slow, patience_s: float | None = None) -> Iterator[str]:
    """The admin listener's URL."""
    console = Console(pipeline(policy_set({"name": "rag"})).services, Alone(), Draining())
    app = create_app(console, Guard(None, "127.0.0.1"), desk)
    if patience_s is not None:
        from gateway.admin import experiments
        from gateway.dashboard import pages

        plain = Starlette(routes=[*experiments.routes(), *pages.routes()])
        plain.state.desk, plain.state.page_patience_s = desk, patience_s
        app = plain
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", ALL)
async def test_the_page_is_accessible_fits_and_has_no_trouble(name: str, browser: Browser) -> None:
    with listener(FakeDesk(ALL[name])) as url:
        async with tab(browser, url, reduced_motion="reduce") as opened:
            await opened.page.goto("/experiments")
            for summary in await opened.page.locator("summary").all():
                await summary.click()
            for look, (scheme, viewport) in LOOKS.items():
                await opened.page.emulate_media(color_scheme=scheme)
                await opened.page.set_viewport_size(viewport)
                await picture(opened, f"experiments-{name}-{look}")
                assert not await opened.is_too_wide(), look
                assert await opened.violations() == [], look
            assert opened.trouble == []


async def test_the_line_of_nought_and_the_margin_are_drawn(browser: Browser) -> None:
    with listener(FakeDesk(CENSUS)) as url:
        async with tab(browser, url) as opened:
            await opened.page.goto("/experiments")
            for name in ("zero", "margin"):
                line = opened.page.locator(f"svg.interval .{name}").first
                assert await line.evaluate("one => getComputedStyle(one).stroke") != "none", name


async def test_the_page_that_waits_is_accessible(browser: Browser) -> None:
    with listener(Slow(), 0.0) as url:
        async with tab(browser, url) as opened:
            await opened.page.goto("/experiments")
            await expect(opened.page.get_by_role("status")).to_contain_text("being worked out")
            assert await opened.violations() == []
            await opened.page.click("text=Look again")
            await expect(opened.page).to_have_url(f"{url}/experiments")
            assert opened.trouble == []


async def test_the_dashboards_navigation_leads_there(browser: Browser) -> None:
    with listener(FakeDesk(CENSUS)) as url:
        async with tab(browser, url) as opened:
            await opened.page.goto("/playground")
            await opened.page.get_by_role("link", name="Experiments").click()
            await expect(opened.page.get_by_role("heading", level=1)).to_have_text("Experiments")
            current = opened.page.locator("nav [aria-current=page]")
            await expect(current).to_have_text("Experiments")


async def test_with_the_keyboard_from_the_top_to_a_reset(browser: Browser) -> None:
    desk = FakeDesk(CENSUS)
    with listener(desk) as url:
        async with tab(browser, url) as opened:
            page = opened.page
            await page.goto("/experiments")
            names = []
            for _ in range(80):
                await page.keyboard.press("Tab")
                names.append(await page.evaluate("document.activeElement.textContent.trim()"))
                if names[-1] == "Reset":
                    break
            assert names[0] == "to the content"
            assert "Everything else, exploratory" in names
            await page.keyboard.press("Enter")
            await page.keyboard.press("Tab")
            await expect(page.locator(":focus")).to_have_text("Let all arms run again")
            await page.keyboard.press("Enter")
            await expect(page.locator("text=rolled back").and_(page.locator(".bad"))).to_have_count(0)
            assert desk.was_reset == ["support"]
            assert opened.trouble == []


async def test_what_a_screen_reader_hears(browser: Browser) -> None:
    with listener(FakeDesk(CENSUS)) as url:
        async with tab(browser, url) as opened:
            await opened.page.goto("/experiments")
            support = opened.page.get_by_role("article", name="support")
            await expect(support).to_have_count(1)
            said = "retries by clients, harsh: +9.00 pp, between +7.00 to +11.00 pp; breached"
            await expect(support.get_by_role("img", name=said)).to_have_count(1)
            await expect(support.get_by_role("row", name="retries by clients harsh")).to_contain_text(
                "breached"
            )
            mail = opened.page.get_by_role("article", name="mail")
            await expect(mail.get_by_role("status")).to_contain_text("Sample-ratio alarm")


async def test_names_that_are_html_are_text_also_in_the_form(browser: Browser) -> None:
    desk = FakeDesk(ODDITIES)
    with listener(desk) as url:
        async with tab(browser, url) as opened:
            page = opened.page
            await page.goto("/experiments")
            await expect(page.locator("h2 bdi").first).to_have_text(HTML)
            assert "executed" not in await page.title()
            assert await page.locator("main img, main script").count() == 0
            await page.click("summary >> text=Reset")
            await page.click("text=Let all arms run again")
            await expect(page.locator("h1")).to_have_text("Experiments")
            assert desk.was_reset == [HTML]
            assert opened.trouble == []


async def test_without_javascript_everything_works(browser: Browser) -> None:
    desk = FakeDesk(CENSUS)
    with listener(desk) as url:
        async with tab(browser, url, java_script_enabled=False) as opened:
            await opened.page.goto("/experiments")
            await expect(opened.page.locator("table").first).to_contain_text("control")
            await opened.page.click("summary >> text=Reset")
            await opened.page.click("text=Let all arms run again")
            await expect(opened.page).to_have_url(f"{url}/experiments")
    assert desk.was_reset == ["support"]
