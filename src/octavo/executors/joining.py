"""Whether a Dask cluster is there, and whether trials can run on it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from octavo.errors import MissingExtra, SettingError, StudyError
from octavo.executors import site

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_workers", "connected"]

_TIMEOUT_S = 5.0


def connected(client: Client | str) -> tuple[Client, bool]:
    """A client, and whether it is ours to close.

    Raises
    ------
    MissingExtra
        If Dask is not installed.
    SettingError
        If it is no client, asynchronous or closed, or its scheduler cannot be reached.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingExtra("running trials on a Dask cluster", "cluster") from error
    if isinstance(client, str):
        try:
            _knock(client)
            return Client(client, timeout=_TIMEOUT_S, set_as_default=False), True
        except (OSError, TimeoutError, ValueError) as error:
            raise SettingError(
                f"the Dask scheduler {client!r} cannot be reached ({error}). Check its address, "
                "such as 'tcp://host:8786', and that it runs."
            ) from error
    if not isinstance(client, Client):
        raise SettingError(
            f"DaskExecutor got {client!r:.200} of type {type(client).__name__}. Pass a "
            "dask.distributed.Client, or the address of a scheduler such as 'tcp://host:8786'."
        )
    if client.asynchronous:
        raise SettingError(
            "DaskExecutor got an asynchronous client, and a study is not asynchronous. Make it "
            "with Client(..., asynchronous=False)."
        )
    if client.status != "running":
        raise SettingError(
            f"DaskExecutor got a client that is {client.status}. Make a new Client of the cluster."
        )
    return client, False


def _knock(address: str) -> None:
    """Raise if nobody answers there: a client that never connected hangs when it is deleted."""
    from distributed.comm.core import connect

    async def knock() -> None:
        comm = await connect(address, timeout=_TIMEOUT_S)
        await comm.close()

    with ThreadPoolExecutor(1) as pool:  # this thread may have a loop that runs, as in a notebook
        pool.submit(asyncio.run, knock()).result()


def check_workers(client: Client, *, timeout_s: float) -> None:
    """Wait for a first worker, and see that all there are and the scheduler have our Octavo.

    The scheduler, too, reads what is sent to workers.

    Raises
    ------
    StudyError
        If no worker comes in so many seconds.
    SettingError
        If a worker or the scheduler has no Octavo, or another version of it.
    """
    try:
        client.wait_for_workers(1, timeout=timeout_s)
    except TimeoutError as error:
        raise StudyError(
            f"no worker joined the Dask cluster {client.scheduler_info()['address']} within "
            f"{timeout_s:g} s. Start workers, or scale the cluster up."
        ) from error
    try:
        found: object = client.run_on_scheduler(site.version)
    except Exception as error:  # whatever comes of a function that cannot be found there
        found = error
    _check_version(f"scheduler {client.scheduler_info()['address']}", found)
    for address, found in client.run(site.version, on_error="return").items():
        _check_version(f"worker {address}", found)


def _check_version(who: str, found: object) -> None:
    ours = site.version()
    if found != ours:
        has = f"Octavo {found}" if isinstance(found, str) else f"no Octavo ({found})"
        raise SettingError(
            f"the Dask {who} has {has}, and the study has {ours}. Install the same there: "
            'pip install "octavo[cluster]"'
        )
