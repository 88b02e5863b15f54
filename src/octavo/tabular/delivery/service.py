"""`octavo serve`: a model as a small HTTP service.

`POST /predict` takes rows as JSON or CSV and gives labels or numbers, and probabilities;
`GET /schema` says which columns it reads, `GET /openapi.json` all of it for machines, and
`GET /health` that it is up. Whatever is wrong comes back as `{"error": "a sentence"}`.

Requests are bounded in bytes and rows, predicted one at a time, and answered only if they bring
the token, where there is one. Bodies must be declared as JSON or CSV, and on a loopback address
the host must be one too, so that no page in a browser can use the service behind its user's back.
"""

from __future__ import annotations

import secrets
import socket
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from octavo.errors import MissingExtra, OctavoError, SettingError
from octavo.tabular.delivery.openapi import described_columns, openapi
from octavo.tabular.delivery.request import TYPES, Unreadable, table_of

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from octavo.tabular.model import TabularModel

__all__ = ["ServiceLimits", "create_app", "is_loopback", "listen", "serve"]

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
GRACE_S = 5  # for answers under way when the service is to end
CONNECTIONS = 64


@dataclass(frozen=True)
class ServiceLimits:
    """What one request may hold."""

    rows: int = 100_000
    bytes: int = 32 * 2**20


class _Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def create_app(
    model: TabularModel,
    *,
    token: str | None = None,
    limits: ServiceLimits | None = None,
    hosts: tuple[str, ...] | None = None,
) -> Starlette:
    """The service of a model as an ASGI application, for any server.

    Parameters
    ----------
    model
        What to serve.
    token
        What requests must bring in `Authorization: Bearer TOKEN`; None for no such need.
    limits
        Of one request.
    hosts
        Names that the header `Host` may have, without port; None for any.

    Raises
    ------
    MissingExtra
        If Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.exceptions import HTTPException
        from starlette.responses import JSONResponse
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra("octavo serve", "serve") from error
    import asyncio

    bounds = ServiceLimits() if limits is None else limits
    columns = described_columns(model)
    document = openapi(
        model, most_rows=bounds.rows, most_bytes=bounds.bytes, has_token=token is not None
    )
    # Not all models can be asked by two threads at once, and two would share the same cores.
    turn = asyncio.Lock()

    async def predict(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in TYPES:
            raise _Refusal(
                415,
                f"The content type is {kind!r}. Send rows as application/json or a table as "
                "text/csv, and say so in Content-Type.",
            )
        body = await _body(request, bounds.bytes)
        async with turn:
            answer = await run_in_threadpool(_predicted, model, body, kind, bounds)
        return JSONResponse(answer)

    async def schema(request: Request) -> Response:
        return JSONResponse(columns)

    async def description(request: Request) -> Response:
        return JSONResponse(document)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def guarded(
        answer: Callable[[Request], Awaitable[Response]], *, is_open: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guard(request: Request) -> Response:
            _check_host(request, hosts)
            if token is not None and not is_open:
                _check_token(request, token)
            return await answer(request)

        return guard

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, _Refusal)
        return JSONResponse({"error": str(error)}, error.status, headers=error.headers)

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = {
            404: f"There is no {request.url.path!r} here. Use /predict, /schema, /openapi.json or "
            "/health.",
            405: f"{request.url.path!r} does not take {request.method}. Use POST for /predict, GET "
            "for all else.",
        }.get(error.status_code, str(error.detail))
        return JSONResponse({"error": said}, error.status_code, headers=error.headers)

    async def broken(request: Request, error: Exception) -> Response:
        said = f"The model could not predict ({type(error).__name__}). See the service's log."
        return JSONResponse({"error": said}, 500)

    return Starlette(
        routes=[
            Route("/predict", guarded(predict), methods=["POST"]),
            Route("/schema", guarded(schema)),
            Route("/openapi.json", guarded(description)),
            Route("/health", guarded(health, is_open=True)),
        ],
        exception_handlers={_Refusal: refused, HTTPException: unknown, Exception: broken},
    )


def _predicted(
    model: TabularModel, body: bytes, kind: str, limits: ServiceLimits
) -> dict[str, Any]:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = table_of(body, kind, model.schema)
            if len(table) > limits.rows:
                raise _Refusal(
                    413,
                    f"The table has {len(table)} rows, and at most {limits.rows} are predicted at "
                    "once. Send it in parts.",
                )
            scores = model.scores(table)
            predictions = model.decide(scores, table)
    except Unreadable as error:
        raise _Refusal(400, str(error)) from error
    except OctavoError as error:
        raise _Refusal(422, str(error)) from error
    answer: dict[str, Any] = {
        "target": model.target.name,
        "predictions": predictions.tolist(),
        "warnings": list(dict.fromkeys(str(one.message) for one in caught)),
    }
    if model.is_classifier:
        answer["classes"] = list(model.target.classes or ())
        answer["probabilities"] = scores.tolist()
    return answer


async def _body(request: Request, most: int) -> bytes:
    too_large = _Refusal(
        413, f"The body is larger than {most} bytes, which is the most. Send it in parts."
    )
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _check_host(request: Request, hosts: tuple[str, ...] | None) -> None:
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if hosts is not None and name.lower() not in hosts:
        raise _Refusal(
            421, f"The header Host says {host!r}, but this service is only {', '.join(hosts)}."
        )


def _check_token(request: Request, token: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    is_right = secrets.compare_digest(given.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not is_right:
        raise _Refusal(
            401,
            "The token is absent or wrong. Send the header 'Authorization: Bearer TOKEN' with the "
            "token that the service printed when it began.",
            WWW_Authenticate="Bearer",
        )


# Running it --------------------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    return host in LOOPBACK


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any that is free.

    Raises
    ------
    SettingError
        If there is no such address here, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingError(
            f"--host {host} is no address: {why}. Use 127.0.0.1 for this machine alone."
        ) from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except OSError as error:
        found.close()
        raise SettingError(
            f"port {port} of {host} cannot be used: {error.strerror}. Give another with --port, or "
            "--port 0 for any that is free."
        ) from error
    return found


def serve(app: Starlette, listening: socket.socket) -> None:
    """Answer until Ctrl-C or SIGTERM; what is under way then has some seconds to end."""
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("octavo serve", "serve") from error
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listening])
