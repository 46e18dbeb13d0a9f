"""Routes of the console. Every page has a JSON twin under `.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from sen4cap.app import lpis
from sen4cap.app.products import get_product, item_of
from sen4cap.app.system import System
from sen4cap.domain import Product
from sen4cap.errors import (
    Conflict,
    InputRefused,
    NoInput,
    NotFound,
    Sen4capError,
    ServiceUnavailable,
    SourceRefused,
)
from sen4cap.web import health

HTTP_CODES: dict[type[Sen4capError], int] = {
    InputRefused: 422,
    NotFound: 404,
    Conflict: 409,
    NoInput: 409,
    ServiceUnavailable: 503,
    SourceRefused: 502,
}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

templates = Jinja2Templates(Path(__file__).parent / "templates")


def http_code(error: Sen4capError) -> int:
    """HTTP status of an error: that of its branch of the tree."""
    return next((code for kind, code in HTTP_CODES.items() if isinstance(error, kind)), 500)


def create_app(system: System) -> FastAPI:
    """The console over an open system."""
    app = FastAPI(title="sen4cap", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])

    @app.middleware("http")
    async def secured(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(Sen4capError)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Sen4capError)
        return await run_in_threadpool(_refusal, request, error)

    app.include_router(health.routes(system))
    _add_pages(app, system)
    return app


def _refusal(request: Request, error: Sen4capError) -> Response:
    code = http_code(error)
    if request.url.path.endswith(".json"):
        return JSONResponse({"status": code, "detail": str(error)}, code)
    return templates.TemplateResponse(
        request, "error.html", {"sentence": str(error), "code": code}, status_code=code
    )


def _add_pages(app: FastAPI, system: System) -> None:
    @app.get("/", response_class=HTMLResponse)
    def home(request: Request) -> Response:
        return templates.TemplateResponse(request, "home.html", {"sites": overview(system)})

    @app.get("/index.json")
    def home_json() -> list[dict[str, Any]]:
        return overview(system)

    @app.get("/sites/{site}.json")
    def site_json(site: str) -> dict[str, Any]:
        return site_page(system, site)

    @app.get("/sites/{site}", response_class=HTMLResponse)
    def site_html(request: Request, site: str) -> Response:
        return templates.TemplateResponse(request, "site.html", site_page(system, site))

    @app.get("/products/{name}.json")
    def product_json(name: str) -> dict[str, Any]:
        return item_of(get_product(system, name))

    @app.get("/products/{name}", response_class=HTMLResponse)
    def product_html(request: Request, name: str) -> Response:
        return templates.TemplateResponse(
            request, "product.html", {"product": get_product(system, name)}
        )

    @app.get("/products/{name}/files/{asset}")
    def product_file(name: str, asset: str) -> Response:
        return _file(get_product(system, name), asset)


def _file(product: Product, asset: str) -> Response:
    """A file of a product, looked up by asset name: no path comes from outside."""
    known = {item.name: item for item in product.assets}
    path = Path(known[asset].href) if asset in known else None
    if path is None or not path.is_file():
        raise NotFound(f"Product '{product.name}' has no file '{asset}'.")
    return FileResponse(
        path,
        media_type=known[asset].media_type.partition(";")[0],
        filename=path.name,
        content_disposition_type="inline",
    )


def overview(system: System) -> list[dict[str, Any]]:
    """What the first page shows of each site."""
    return [
        {
            **asdict(site),
            "seasons": [asdict(season) for season in system.store.seasons.all(site.short_name)],
            "products": dict(_counts(system, site.short_name)),
        }
        for site in system.store.sites.all()
    ]


def _counts(system: System, site: str) -> Counter[str]:
    return Counter(str(product.type) for product in system.store.products.search(site))


def site_page(system: System, short_name: str) -> dict[str, Any]:
    """What the page of a site shows."""
    site = system.store.sites.get(short_name)
    seasons = system.store.seasons.all(short_name)
    return {
        "site": asdict(site),
        "seasons": [asdict(season) for season in seasons],
        "parcels": [
            lpis.summary(system, short_name, year)
            for year in sorted({season.year for season in seasons})
        ],
        "products": [
            {"name": item.name, "type": item.type, "grid": item.grid, "start": item.start}
            for item in reversed(system.store.products.search(short_name))
        ],
        "jobs": [asdict(job) for job in system.store.jobs.all(site=short_name, limit=20)],
    }
