"""The pages in a real browser: flows, light, dark and narrow, axe's rules, and a console without a word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, ViewportSize, expect

from tests.browser import DESK, PHONE, chromium, picture, tab
from tests.gateway.dashboard.seeded import HTML, WORST, seeded

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGES = {
    "dashboard": "/?since=all",
    "by-model": "/?since=all&by=model",
    "one-model": "/?since=all&of=model&is=gpt-4o",
    "request": f"/requests/{WORST}",
    "playground": "/playground",
    "nothing": "/?of=model&is=none",
}
LOOKS: dict[str, tuple[Literal["light", "dark"], ViewportSize]] = {
    "light": ("light", DESK),
    "dark": ("dark", DESK),
    "phone": ("light", PHONE),
}
TEXT = "It was a long day and the committee of the city decided on very little of it in the end. " * 30


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with seeded(tmp_path_factory.mktemp("ledger")) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_accessible_fits_and_has_no_trouble(name: str, browser: Browser, url: str) -> None:
    async with tab(browser, url, reduced_motion="reduce") as opened:
        await opened.page.goto(PAGES[name])
        if name == "playground":
            await opened.page.fill("#input", f"It cost 61,300 dollars. See https://example.org/a. {TEXT}")
            await expect(opened.page.locator("#outcome")).to_be_visible()
        for look, (scheme, viewport) in LOOKS.items():
            await opened.page.emulate_media(color_scheme=scheme)
            await opened.page.set_viewport_size(viewport)
            await picture(opened, f"{name}-{look}")
            assert not await opened.is_too_wide(), look
            assert await opened.violations() == [], look
        assert opened.trouble == []


async def test_from_the_worst_request_to_its_row_and_back(browser: Browser, url: str) -> None:
    async with tab(browser, url) as opened:
        page = opened.page
        await page.goto("/")
        await page.click(f"text={WORST}")
        await expect(page.locator("dd.is-loss")).to_have_text("−$0.017500")
        await page.click("text=Dashboard")
        await page.fill("#id", WORST)
        await page.click("text=Show request")
        await expect(page).to_have_url(f"{url}/requests/{WORST}")
        assert opened.trouble == []


async def test_a_group_is_chosen_and_left_again(browser: Browser, url: str) -> None:
    async with tab(browser, url) as opened:
        page = opened.page
        await page.goto("/?since=all")
        await page.click("nav >> text=team")
        await page.click("tbody >> text=support")
        await expect(page.locator(".filter")).to_contain_text("Only team support.")
        await page.click("text=Show all")
        await expect(page.locator(".filter")).to_have_count(0)
        assert "by=team" in page.url


async def test_without_javascript_the_numbers_are_there(browser: Browser, url: str) -> None:
    async with tab(browser, url, java_script_enabled=False) as opened:
        await opened.page.goto("/")
        await expect(opened.page.locator("table").first).to_contain_text("rag")
        await opened.page.goto("/playground")
        await expect(opened.page.locator("#state")).to_contain_text("needs JavaScript")


@pytest.mark.parametrize("path", ["/?by=model&since=all", "/?by=team&since=all", "/requests/pith-00000003"])
async def test_names_that_are_html_are_text(path: str, browser: Browser, url: str) -> None:
    async with tab(browser, url) as opened:
        await opened.page.goto(path)
        await expect(opened.page.locator("bdi", has_text=HTML).first).to_have_text(HTML)
        assert "executed" not in await opened.page.title()
        assert await opened.page.locator("main img, main script").count() == 0
        assert opened.trouble == []


async def test_words_fade_as_the_slider_moves(browser: Browser, url: str) -> None:
    async with tab(browser, url) as opened:
        page = opened.page
        await page.goto("/playground")
        await page.fill("#input", TEXT + HTML)
        await expect(page.locator("#outcome")).to_be_visible()
        before = await page.locator(".words .dropped").count()
        first = await page.locator(".words .w").first.element_handle()
        await page.locator("#amount").fill("0.2")
        await expect(page.locator("#yaml")).to_contain_text("rate: 0.2")
        assert await page.locator(".words .dropped").count() > before
        assert first is not None
        assert await first.evaluate("element => element.isConnected"), (
            "the words are the same, they only fade"
        )
        assert (await page.locator(".words").first.text_content() or "") == TEXT + HTML
        assert "executed" not in await page.title()
        assert await page.locator("#texts img, #texts script").count() == 0
        assert opened.trouble == []


async def test_another_scorer_is_chosen(browser: Browser, url: str) -> None:
    async with tab(browser, url) as opened:
        page = opened.page
        await page.goto("/playground")
        await page.fill("#input", TEXT)
        await expect(page.locator("#outcome")).to_be_visible()
        await page.select_option("#scorer", "frequency")
        await expect(page.locator("#fingerprint")).to_contain_text("frequency-")
        await expect(page.locator("#yaml")).to_contain_text("# with compressor.scorer: frequency")
        await page.select_option("#scorer", "loaded")
        await expect(page.locator("#fingerprint")).not_to_contain_text("frequency-")
        assert opened.trouble == []


async def test_a_whole_request_and_the_policy_for_it(browser: Browser, url: str) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": TEXT}]
    async with tab(browser, url, permissions=["clipboard-read", "clipboard-write"]) as opened:
        page = opened.page
        await page.goto("/playground")
        await page.fill("#input", json.dumps({"model": "gpt-4o", "messages": messages}))
        headings = page.locator("#texts h2")
        await expect(headings).to_have_count(2)
        await expect(headings.first).to_contain_text("system")
        await expect(headings.first).to_contain_text("does not cover this role")
        await page.check("input[value=threshold]")
        await expect(page.locator("#yaml")).to_contain_text("threshold: 0.5")
        await page.click("#copy")
        await expect(page.locator("#copied")).to_have_text("Copied.")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == await page.locator("#yaml").text_content()
        assert opened.trouble == []


async def test_what_is_refused_and_a_pith_that_is_gone_are_said(browser: Browser, url: str) -> None:
    async with tab(browser, url) as opened:
        page = opened.page
        await page.goto("/playground")
        await page.evaluate("document.getElementById('policy').selectedOptions[0].value = 'gone'")
        await page.fill("#input", TEXT)
        await expect(page.locator("#state")).to_contain_text("there is none of this name")
        await page.context.set_offline(True)
        await page.fill("#input", TEXT * 2)
        await expect(page.locator("#state")).to_contain_text("Pith does not answer")
        await page.fill("#input", "")
        await expect(page.locator("#state")).to_have_text("Nothing pasted yet.")


async def test_a_browser_sends_the_token(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    token = "0123456789abcdef"
    with seeded(tmp_path_factory.mktemp("ledger"), rows=[], token=token) as guarded:
        credentials = {"username": "me", "password": token}
        async with tab(browser, guarded, http_credentials=credentials) as opened:
            await opened.page.goto("/playground")
            await opened.page.click("#sample")
            await expect(opened.page.locator("#outcome")).to_be_visible()
            assert await opened.page.context.cookies() == []
        async with tab(browser, guarded) as opened:
            with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):  # there is nobody to be asked
                await opened.page.goto("/")
