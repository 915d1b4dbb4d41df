"""A real browser for the tests: Debian's Chromium, driven by Playwright, which sees every request and complaint."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # CI runs as root, where Chromium's sandbox cannot
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium and end it; the test is skipped when there is none, and fails when CI has none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Debian's package 'chromium': see tests/prepare.sh")
        pytest.skip("needs Debian's package 'chromium'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One page in a browser of its own, and what was noticed while it was open."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """What the console and the page itself said was wrong."""
    requests: list[str] = field(default_factory=list)
    """Every address that was asked for."""
    loads: list[str] = field(default_factory=list)
    """Every document that was loaded: one, as long as nothing reloads."""


@contextmanager
def visit(browser: Browser, *, width: int, height: int, dark: bool = False, script: bool = True) -> Iterator[Visit]:
    """Open an empty page of this size that notices everything."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        locale="fr-FR",
        timezone_id="Europe/Paris",
        java_script_enabled=script,
    )
    try:
        one = Visit(context.new_page())
        one.page.on("console", lambda said: one.complaints.append(said.text) if said.type != "log" else None)
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("request", lambda request: one.requests.append(request.url))
        one.page.on("load", lambda page: one.loads.append(page.url))
        yield one
    finally:
        context.close()
