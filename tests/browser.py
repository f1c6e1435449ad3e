"""Chromium, driven by Playwright: a page that tells what went wrong in it, and what axe finds in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, ConsoleMessage, Error, Page, ViewportSize, async_playwright

PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}


@dataclass
class Tab:
    """A page, and what its console said that is no good."""

    page: Page
    trouble: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(message.text)

    def hear_error(self, error: Error) -> None:
        self.trouble.append(str(error))

    async def violations(self) -> list[str]:
        """What axe finds, rule and place."""
        await self.page.evaluate(AXE)
        found: dict[str, Any] = await self.page.evaluate("axe.run()")
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    async def is_too_wide(self) -> bool:
        """Whether the page as a whole scrolls to the side."""
        wide: bool = await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return wide


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser, without a window. Its sandbox wants a user who is not root."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program is not None, "there is no chromium: run tests/services.sh"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab(browser: Browser, url: str, **options: Any) -> AsyncIterator[Tab]:
    """A new tab of a profile of its own."""
    context = await browser.new_context(**{"base_url": url, "viewport": DESK, **options})
    opened = Tab(await context.new_page())
    opened.page.on("console", opened.hear)
    opened.page.on("pageerror", opened.hear_error)
    try:
        yield opened
    finally:
        await context.close()


async def picture(opened: Tab, name: str) -> None:
    """Into the folder PAGE_PICTURES, where it is set: for eyes."""
    if folder := os.environ.get("PAGE_PICTURES"):
        await opened.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
