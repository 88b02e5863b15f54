"""`octavo watch`: a study while another process runs it; it only reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.amounts import seconds
from octavo.cli.console import number, print_json, stdout, table_of
from octavo.cli.looking import tally, told_methods, trials_frame
from octavo.cli.tuning import told_validation
from octavo.measured import methods_of

if TYPE_CHECKING:
    from octavo.study import Study

__all__ = ["watch_command"]

N_LEADERS = 8
LOOKS = 4


def watch_command(run: str, *, every: str, once: bool, as_json: bool) -> None:
    """Show a study again and again until nobody runs it any more."""
    every_s = seconds(every, "--every") or 2.0
    from octavo.study.reading import read_storage

    place = read_storage(run)
    state = _state(place)
    if as_json:
        print_json({name: value for name, value in state.items() if name != "board"})
        return
    console = stdout()
    if once or not console.is_terminal:
        _follow(place, console, state, every_s=every_s, once=once)
        return
    from rich.live import Live

    with Live(_drawn(state, console.width), console=console, auto_refresh=False) as live:
        while state["is_running"]:
            time.sleep(every_s)
            state = _state(place)
            live.update(_drawn(state, console.width), refresh=True)


def _follow(
    place: str | Path, console: Any, state: dict[str, Any], *, every_s: float, once: bool
) -> None:
    """A line for each change, for logs and pipes."""
    said = ""
    while True:
        line = _line(state)
        if line != said:
            console.print(line, markup=False, soft_wrap=True)
        said = line
        if once or not state["is_running"]:
            return
        time.sleep(every_s)
        state = _state(place)


def _state(place: str | Path) -> dict[str, Any]:
    from octavo.scenarios import validation_of
    from octavo.storage.lock import is_written
    from octavo.study import open_study

    # Asked before, so that its last trials are seen.
    is_running = isinstance(place, Path) and is_written(place)
    with open_study(place, write=False) as study:
        history = study.history
        incumbent = history.incumbent
        running = _running(study)
        if isinstance(place, str):
            for _ in range(LOOKS):  # who runs it may be between two trials
                if running or study.stopped_because:
                    break
                time.sleep(0.25)
                running = _running(study)
            is_running = bool(running)
        return {
            "study": study.name,
            "objective": study.problem.objectives[0].name,
            "trials": len(history),
            "planned": study.problem.limits.max_trials,
            **tally(study),
            "running": running if is_running else [],
            "best": None if incumbent is None else study.best_value,
            "index": None if incumbent is None else incumbent.index,
            "last": _last(history),
            "is_running": is_running,
            "stopped_because": study.stopped_because,
            "validation": validation_of(study),
            "measured": dict(methods_of(study.problem, history)),
            "board": trials_frame(history, every=False).head(N_LEADERS),
        }


def _running(study: Study) -> list[int]:
    return sorted(lease.index for lease in study.store.leases() if lease.expires > time.time())


def _last(history: Any) -> str:
    if not len(history):
        return "no trial has ended yet"
    trial = history[-1]
    cause = f": {trial.cause.partition(chr(10))[0]}" if trial.cause else ""
    return f"trial {trial.index} {trial.status.value}{cause}"


def _line(state: dict[str, Any]) -> str:
    of = f" of {state['planned']}" if state["planned"] else ""
    parts = [
        f"{state['trials']}{of} trials",
        f"best {state['objective']} {number(state['best'])}",
        f"{state['failed']} failed"
        + (f", {state['ended_early']} ended early" if state["ended_early"] else ""),
        f"running {state['running']}",
        state["last"],
    ]
    if not state["is_running"]:
        reason = state["stopped_because"]
        parts[3] = f"ended: {reason}" if reason else "nobody runs it; octavo resume goes on"
        if state["validation"] is not None:
            parts.append(told_validation(state["validation"], state["objective"]))
    return ", ".join(parts)


def _drawn(state: dict[str, Any], width: int) -> Any:
    from rich.console import Group
    from rich.text import Text

    board = state["board"].drop(columns=["measured", "status", "cause"], errors="ignore")
    return Group(
        Text(state["study"], style="bold"),
        table_of(board, width, wide=("config",)),
        Text(told_methods(state["measured"]) + _line(state)),
    )
