"""`GET /health.json`: whether the system can do its work, for whoever watches over it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from sen4cap.app.health import State, health_of
from sen4cap.app.system import System


def routes(system: System) -> APIRouter:
    """The route; 503 where something does not work, so that a watcher need not read it."""
    router = APIRouter()

    @router.get("/health.json")
    def health() -> JSONResponse:
        found = health_of(system)
        code = 503 if found.state is State.FAILED else 200
        return JSONResponse(found.as_json(), code)

    return router
