"""What a run needs of its arguments, checked before anything is made.

A refused call leaves nothing behind: no folder, no process, no row.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from octavo.errors import SettingError
from octavo.executors import InlineExecutor
from octavo.executors.calling import check_signature
from octavo.executors.energy import Energy
from octavo.executors.protocol import Executor
from octavo.history import History
from octavo.measured import RETURNED, method, methods_of
from octavo.problem import Constraint, Fidelity, Limits, Objective, Problem, TrialLimits
from octavo.spaces import Space
from octavo.study.stopping import check_stoppers

__all__ = ["check_ends", "check_measured", "check_run", "make_executor"]


def check_run(
    objective: object,
    *,
    executor: object,
    trial_limits: object,
    data: object,
    callbacks: object,
    energy: object = None,
    stoppers: object = (),
    fidelity: object = None,
    instances: object = (),
    n_objectives: int = 1,
) -> None:
    """Refuse what `run` could not work with.

    Parameters
    ----------
    objective, executor, trial_limits, data, energy, callbacks, stoppers, fidelity, instances
        As in `minimize`; None where nothing was given.
    n_objectives
        How many the problem has.

    Raises
    ------
    SettingError
        Naming the argument, its value, what was expected and what to do.
    """
    if not callable(objective):
        raise SettingError(
            f"the objective is {objective!r:.200} of type {type(objective).__name__}, which cannot "
            "be called. Pass a function such as `def train(config): return loss`."
        )
    if trial_limits is not None and not isinstance(trial_limits, TrialLimits):
        raise SettingError(
            f"trial_limits={trial_limits!r} is of type {type(trial_limits).__name__}. Write "
            "octavo.problem.TrialLimits(wall_s=30, memory_mb=2048)."
        )
    if energy is not None and not isinstance(energy, Energy):
        raise SettingError(
            f"energy={energy!r:.200} is of type {type(energy).__name__}. Say how it is found: "
            "octavo.Energy(watts_per_core=12), or leave it out."
        )
    names = _names(data)
    _check_takes(objective, check_signature(objective, names), fidelity, instances)
    _check_callbacks(callbacks)
    check_stoppers(stoppers, executor, n_objectives)
    if executor is not None:
        _check_executor(executor, trial_limits or TrialLimits())


def _check_takes(
    objective: Callable[..., Any], taken: frozenset[str], fidelity: object, instances: object
) -> None:
    """Refuse an objective that would do the same whatever its fidelity or instance is.

    What is no fidelity, or no list of instances, `Problem` refuses.
    """
    name = getattr(objective, "__name__", type(objective).__name__)
    if isinstance(fidelity, Fidelity) and "fidelity" not in taken:
        raise SettingError(
            f"the problem has the fidelity {fidelity.name!r}, but the objective {name} takes no "
            "argument 'fidelity', so that its cheap trials would be full ones. Write it as "
            "def train(config, *, fidelity): ..., or leave the fidelity out."
        )
    if isinstance(instances, list | tuple) and instances and "instance" not in taken:
        raise SettingError(
            f"the problem has {len(instances)} instances, but the objective {name} takes no "
            "argument 'instance', so that it could not know which to run. Write it as "
            "def solve(config, *, instance): ..., or leave the instances out."
        )


def check_ends(limits: Limits, space: Space) -> None:
    """Refuse a run that nothing would end.

    Raises
    ------
    SettingError
        If there is no limit, and more to try than can ever be tried.
    """
    if limits == Limits() and not space.is_finite:
        raise SettingError(
            "no limit is set, so the study would never end. Give at least one of "
            "max_trials=100, time_limit='10m', cpu_limit='1h', or target=0.01."
        )


def check_measured(problem: Problem, history: History, how: Mapping[str, str]) -> None:
    """Refuse a run whose measurements could not be compared with those of earlier trials.

    Parameters
    ----------
    problem, history
        Of the study.
    how
        How this run measures each field of `Resources`, as far as is known.

    Raises
    ------
    SettingError
        Naming the quantity and both methods.
    """
    for name, before in methods_of(problem, history).items():
        now = method(how, name)
        if now and before not in (now, RETURNED):
            raise SettingError(
                f"{name!r} was measured in this study's earlier trials as {before!r}; this run "
                f"would measure it as {now!r}. Numbers of different methods do not compare: run "
                "with the same executor and energy=octavo.Energy(...) as before, or start a new "
                "study."
            )


def make_executor(
    workers: int | None,
    trial_limits: TrialLimits,
    quantities: Iterable[Objective | Constraint],
    optimizer: object = None,
) -> Executor:
    """In this process, unless something asks for processes of their own.

    So do workers, limits on trials, a race's cutoff, and memory as an objective or a constraint,
    which cannot be told apart from the study's own in one process.
    """
    has_cutoff = getattr(optimizer, "cutoff_s", None) is not None
    has_memory = any(quantity.name == "memory" for quantity in quantities)
    if workers is None and trial_limits == TrialLimits() and not (has_memory or has_cutoff):
        return InlineExecutor()
    from octavo.executors import ProcessExecutor  # pebble and psutil are loaded when needed

    return ProcessExecutor(workers=1 if workers is None else workers)


def _names(data: object) -> tuple[str, ...]:
    if data is None:
        return ()
    if not isinstance(data, Mapping):
        raise SettingError(
            f"data is of type {type(data).__name__}, but the objective gets each thing by its "
            "name. Write data={'table': table} and def train(config, *, table): ..."
        )
    for name in data:
        if not isinstance(name, str) or not name.isidentifier():
            raise SettingError(
                f"data has the name {name!r}, which cannot be the name of an argument. Use "
                "letters, digits and underscores, such as 'table'."
            )
    return tuple(data)


def _check_callbacks(callbacks: object) -> None:
    if isinstance(callbacks, str) or not isinstance(callbacks, Sequence):
        raise SettingError(
            f"callbacks={callbacks!r} is of type {type(callbacks).__name__}, but is a list. Write "
            "callbacks=[watch] also for a single one."
        )
    for callback in callbacks:
        if not callable(callback):
            raise SettingError(
                f"callbacks contains {callback!r} of type {type(callback).__name__}, which cannot "
                "be called. Pass functions such as `def watch(event): ...`."
            )
        try:
            inspect.signature(callback).bind(None)
        except TypeError as error:
            raise SettingError(
                f"the callback {callback!r} cannot be called with an event: {error}. Write it as "
                "`def watch(event): ...`; of a class, pass an instance."
            ) from error
        except ValueError:  # some builtins do not tell what they take
            continue


def _check_executor(executor: Any, trial_limits: TrialLimits) -> None:
    methods: tuple[Callable[..., Any] | None, ...] = tuple(
        getattr(executor, name, None) for name in ("start", "submit", "wait", "stop", "close")
    )
    if isinstance(executor, type) or not all(map(callable, methods)):
        raise SettingError(
            f"executor={executor!r} does not run trials. Pass an object such as "
            "octavo.executors.ProcessExecutor(workers=2), or only workers=2."
        )
    if isinstance(executor, InlineExecutor):
        executor.refuse_limits(trial_limits)
