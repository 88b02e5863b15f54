"""`octavo serve`: a saved model as an HTTP service on this machine."""

from __future__ import annotations

import contextlib
import secrets

from octavo.amounts import megabytes
from octavo.cli.console import show_warnings, stdout
from octavo.errors import SettingError

__all__ = ["serve_command"]


def serve_command(
    run: str,
    *,
    host: str,
    port: int,
    token: str | None,
    max_rows: int,
    max_body: str,
) -> None:
    """Load the model, say where it is served, and answer until Ctrl-C."""
    from octavo.tabular.delivery.service import (
        LOOPBACK,
        ServiceLimits,
        create_app,
        is_loopback,
        listen,
        serve,
    )
    from octavo.tabular.model import load_model

    if token is not None and not token.strip():
        raise SettingError(
            "--token is empty, so that anybody would have it. Give a long random word, or leave it "
            "out to have one made."
        )
    body_mb = megabytes(max_body, "--max-body")
    assert body_mb is not None
    show_warnings()
    model = load_model(run)
    is_private = is_loopback(host)
    made = token is None and not is_private
    word = secrets.token_urlsafe(24) if made else token
    app = create_app(
        model,
        token=word,
        limits=ServiceLimits(rows=max_rows, bytes=int(body_mb * 2**20)),
        hosts=LOOPBACK if is_private else None,
    )
    console = stdout()
    with listen(host, port) as listening:
        at = listening.getsockname()[1]
        address = f"[{host}]" if ":" in host else host
        console.print(f"serving {run} at http://{address}:{at}", markup=False, soft_wrap=True)
        if made:
            console.print(f"token    {word}", markup=False, soft_wrap=True)
        console.print("Ctrl-C ends it", style="dim")
        with contextlib.suppress(KeyboardInterrupt):  # the usual end of a service, no failure
            serve(app, listening)
    console.print("stopped", style="dim")
