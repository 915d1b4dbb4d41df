"""Asking the hub's application without a network: one request, one answer, on the real store behind it."""

import asyncio
from pathlib import Path

import httpx
from fastapi import FastAPI

from hub.app import create_app
from hub.config import DatabaseSettings, HubSettings
from hub.health import Health
from hub.live import LiveBoard
from hub.store import Store
from tests.support.telecentres import HEALTHY, NOON_MS


def app_on(store: Store, board: LiveBoard, *, now_ms: int = NOON_MS, health: Health = HEALTHY) -> FastAPI:
    """Return the application on a bench where it is always the same moment."""
    settings = HubSettings(database=DatabaseSettings(file=Path(store.file)))
    return create_app(settings, store, board, lambda: health, now_ms=lambda: now_ms)


def ask(
    app: FastAPI,
    path: str,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    host: str = "localhost",
) -> httpx.Response:
    """Return the answer to one GET; a mistake of ours inside is raised here."""

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client:
            return await client.get(path, params=params, headers=headers)

    return asyncio.run(once())
