"""The study: ask, tell, run; the one place where optimizer, executor and storage meet.

Everything that a study knows is in its store. The optimizer is started when it is first
needed and told the history (the replay law), so a study that was opened behaves as the one
that was left.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from octavo.amounts import is_whole, megabytes
from octavo.errors import SettingError, StorageError, StudyError
from octavo.history import History
from octavo.optimizers import recipe as as_recipe
from octavo.optimizers.protocol import Optimizer, Recipe, kept_by, next_index, trial_seed
from octavo.optimizers.recipes import recipe_from_json, recipe_to_json
from octavo.problem import Constraint, Fidelity, Limits, Objective, Problem
from octavo.schedulers.raced import with_cutoff
from octavo.spaces import Believed, as_space
from octavo.storage import Intervention, Seen, Store, create_store, open_store
from octavo.study.reading import (
    name_of,
    read_constraints,
    read_limits,
    read_objectives,
    read_seed,
    read_storage,
    with_belief,
    wrapped,
)
from octavo.study.telling import check_resources, is_measured, read_told
from octavo.trial import Origin, Proposal, Resources, Status, Trial

if TYPE_CHECKING:
    from octavo.callbacks import Callback
    from octavo.executors.energy import Energy
    from octavo.executors.protocol import Executor
    from octavo.optimizers.recommendation import Recommendation
    from octavo.problem import TrialLimits
    from octavo.schedulers.stopping import Stopper

__all__ = ["Study", "open_study"]

logger = logging.getLogger(__name__)


class Study:
    """A question and all trials that answer it.

    Parameters
    ----------
    space
        What can be chosen: `octavo.space(...)`, a ConfigSpace `ConfigurationSpace`, any
        `Space`, or a dict of hyperparameters.
    objectives
        Names or `Objective`s; by default one cost, minimized.
    constraints
        Bounds on further returned quantities: `Constraint`s, or `{"latency": (None, 0.1)}`.
    fidelity
        A budget that trials may spend less of.
    instances, instance_features
        Names of the instances over which a configuration is to be good, and what is known of
        each, as in `octavo.Problem`.
    repeats
        With how many seeds a configuration is evaluated before it may be the incumbent.
    optimizer
        A name from the catalog, or a recipe.
    priors
        Configurations believed to be good, or a function from a configuration to how probable
        it is that it is: optimizers look there first, see `octavo.spaces.Believed`. Beliefs
        about single hyperparameters belong into the space.
    first
        Configurations to try before the optimizer's own.
    limits
        The budget that the study is planned with; `run` stops there unless told otherwise.
    seed
        Makes the search reproducible; None draws one and stores it.
    storage
        Folder of the study, to be made; `"postgresql://..."` shares it among machines, see
        `octavo.storage.Address`; None keeps everything in memory.
    name
        For people; by default the folder's name.

    Raises
    ------
    SpaceError, ProblemError, SettingError
        If the question makes no sense.
    StudyError
        If the folder already holds a study.
    """

    def __init__(
        self,
        space: Any,
        *,
        objectives: Sequence[str | Objective] | None = None,
        constraints: Mapping[str, tuple[float | None, float | None]]
        | Sequence[Constraint]
        | None = None,
        fidelity: Fidelity | None = None,
        instances: Sequence[str] = (),
        instance_features: Mapping[str, Sequence[float]] | None = None,
        repeats: int = 1,
        optimizer: str | Recipe = "auto",
        first: Sequence[Mapping[str, Any]] = (),
        priors: Sequence[Mapping[str, Any]] | Callable[[dict[str, Any]], float] | None = None,
        limits: Limits | None = None,
        seed: int | None = None,
        storage: str | Path | None = None,
        name: str | None = None,
    ) -> None:
        space = as_space(space)
        problem = Problem(
            space=space if priors is None else Believed(space, priors),
            objectives=read_objectives(objectives),
            constraints=read_constraints(constraints),
            fidelity=fidelity,
            instances=instances,  # type: ignore[arg-type]  # made a tuple there
            instance_features={} if instance_features is None else instance_features,  # type: ignore[arg-type]
            repeats=repeats,
            limits=Limits() if limits is None else limits,
        )
        recipe = wrapped(as_recipe(optimizer), problem, first)
        seed = read_seed(seed)
        recipe.start(problem, seed)  # a recipe that cannot work here says so now
        place = None if storage is None else read_storage(storage)
        store = create_store(place)
        store.save_settings(
            {
                "name": name or name_of(place),
                "seed": seed,
                "recipe": recipe_to_json(recipe),
                "created": time.time(),
            }
        )
        store.add_problem(problem, since=0)
        self._attach(store)

    @classmethod
    def _open(cls, store: Store, priors: Callable[[dict[str, Any]], float] | None) -> Study:
        study = cls.__new__(cls)
        if not store.problems():
            store.close()
            raise StorageError(
                f"the study in {store.place} has no problem yet: it is being started at this "
                "moment, or starting it was interrupted. Try again, or start it again there."
            )
        study._attach(store, priors)
        return study

    last_objective: Callable[..., Any] | None = None
    """What this process ran last: it may go on with functions that cannot be imported."""

    _scratch: Path | None = None
    _remove_scratch: Callable[[], object] | None = None

    def _attach(
        self, store: Store, priors: Callable[[dict[str, Any]], float] | None = None
    ) -> None:
        self._store = store
        self._settings = store.settings()
        self._revision, _, self.problem = store.problems()[-1]
        if priors is not None:
            self.problem = with_belief(self.problem, priors)
        self.seed: int = self._settings["seed"]
        self.recipe: Recipe = recipe_from_json(self._settings["recipe"])
        self.stopped_because: str = self._settings.get("stopped_because", "")
        self._priors = priors
        self._optimizer: Optimizer | None = None
        self._history, last_id = store.history_until(self.problem)
        self._pending = {proposal.index: proposal for proposal in store.pending()}
        told = int(self._history.indices.max()) + 1 if len(self._history) else 0
        self._next_index = next_index(told, tuple(self._pending.values()))
        # Counted once and then kept up: looking at every status at each trial would be slow.
        self._n_run = sum(status is not Status.CANCELLED for status in self._history.status)
        self._seen = Seen(last_id, self._next_index)
        self._interruptions = store.sharing.interruptions if store.sharing else 0
        self._free: tuple[int, ...] = ()
        self._ahead: set[int] = set()  # completed before we saw that they were proposed
        self.refresh()

    def refresh(self) -> None:
        """See what other processes did in a shared study; every `ask` does.

        If the problem was revised, the optimizer starts afresh on the new one and is told the
        history. Where one process writes there is nothing to see.
        """
        sharing = self._store.sharing
        if sharing is None:
            return
        news = self._store.news(self._seen, self.problem)
        if news.revision != self._revision or sharing.interruptions != self._interruptions:
            self._attach(self._store, self._priors)
            return
        self._seen, self._free = news.seen, news.free
        self._next_index = max(self._next_index, news.seen.next_index)
        for proposal in news.proposals:
            if proposal.index not in self._ahead:
                self._pending[proposal.index] = proposal
        self._ahead.clear()
        self._tell(news.trials)

    def _learn(self) -> None:
        """See what was completed in a shared study; what is new otherwise, `refresh` finds."""
        sharing = self._store.sharing
        if sharing is None or sharing.interruptions != self._interruptions:
            self.refresh()
            return
        self._seen, trials = self._store.new_trials(self._seen, self.problem)
        self._ahead.update(t.index for t in trials if t.index >= self._seen.next_index)
        self._tell(trials)

    def _tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self._take_in(trial)
        if trials and self._optimizer is not None:
            self._optimizer.tell(trials)

    # Looking -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """For people."""
        return str(self._settings["name"])

    @property
    def folder(self) -> Path | None:
        """Where everything of this study lies; None if only in memory."""
        return self._store.folder

    @property
    def workplace(self) -> Path:
        """Where trials leave files: the study's folder, or one that lives as long as this object.

        So what runs in one `run` can go on from checkpoints of another without a folder, too.
        """
        if self.folder is not None:
            return self.folder
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="octavo-"))
            self._remove_scratch = weakref.finalize(
                self, shutil.rmtree, self._scratch, ignore_errors=True
            )
        return self._scratch

    @property
    def history(self) -> History:
        """All completed trials, in order of completion."""
        return self._history

    @property
    def pending(self) -> list[Proposal]:
        """What was asked and not yet told, by index."""
        return [self._pending[index] for index in sorted(self._pending)]

    @property
    def waiting(self) -> list[Proposal]:
        """The pending proposals that this process may run: in a shared study, that nobody runs."""
        if self._store.sharing is None:
            return self.pending
        return [self._pending[index] for index in self._free if index in self._pending]

    @property
    def is_shared(self) -> bool:
        """Whether several processes may run it."""
        return self._store.sharing is not None

    @property
    def n_run(self) -> int:
        """How many trials were completed, without those that were cancelled before their end."""
        return self._n_run

    @property
    def why(self) -> str:
        """In a sentence: which optimizer works on this problem and why."""
        from octavo.optimizers.repeats import Repeats
        from octavo.optimizers.warmed import Warmed

        asked: Any = self.recipe
        while isinstance(asked, Warmed | Repeats):  # the study's own, around what was asked for
            asked = asked.inner
        recipe = asked
        while hasattr(recipe, "inner"):  # wrappers speak through what they hold
            recipe = recipe.inner
        if hasattr(recipe, "choose"):
            return str(recipe.choose(self.problem)[1])
        return f"{asked!r} was asked for."

    @property
    def best(self) -> Trial:
        """The incumbent: the best feasible trial by the first objective.

        Raises
        ------
        StudyError
            If no trial has succeeded (and met the constraints) yet.
        """
        incumbent = self._history.incumbent
        if incumbent is None:
            self._refuse_best()
        return incumbent

    @property
    def best_config(self) -> dict[str, Any]:
        """The incumbent's configuration."""
        return dict(self.best.config)

    @property
    def best_value(self) -> float:
        """The incumbent's (mean) first objective, in the user's direction."""
        self.best  # noqa: B018  raises the sentence if there is none
        return self.problem.objectives[0].value(self._history.incumbent_cost)

    def recommend(self) -> Recommendation:
        """The configuration to use if the objective is noisy: the best by a model, not by luck.

        `best` has the lowest cost that was measured; of many noisy trials that is mostly a lucky
        one. This weighs each cost against those of similar configurations and of further
        seeds, see `octavo.optimizers.recommendation`. Without noise it is `best`.

        Returns
        -------
        Recommendation
            With `config`, `trial`, `value` (what it really costs, by the model), `deviation`
            and `noise`.

        Raises
        ------
        StudyError
            If no trial has succeeded (and met the constraints) yet.
        """
        from octavo.optimizers.recommendation import recommend  # SciPy takes its time to load

        found = recommend(self._history)
        if found is None:
            self._refuse_best()
        return found

    @property
    def pareto_front(self) -> list[Trial]:
        """The feasible trials that no other one dominates."""
        return self._history.pareto_front

    def _refuse_best(self) -> NoReturn:
        if not len(self._history):
            raise StudyError(
                "this study has no completed trial yet. Run it first, or tell it some results."
            )
        failed = [trial for trial in self._history if not trial.succeeded]
        if len(failed) == len(self._history):
            causes = [trial.cause for trial in failed if trial.cause]
            last = f" The last one: {causes[-1]}" if causes else ""
            last += "\n" if "\n" in last else " "
            raise StudyError(
                f"none of the {len(failed)} completed trials succeeded.{last}Mend the objective, "
                "then run again; study.history has the cause of each."
            )
        raise StudyError(
            f"none of the {len(self._history)} completed trials meets the constraints "
            f"{[constraint.name for constraint in self.problem.constraints]}. Relax a bound, or "
            "look at study.history.constraints to see how close they come."
        )

    # Asking and telling --------------------------------------------------------------

    def ask(self, n: int | None = None) -> Any:
        """What to try next.

        Parameters
        ----------
        n
            How many; None asks for one and returns it bare.

        Returns
        -------
        Proposal or list of Proposal
            Stored before they are returned, so another process may tell, a day later.

        Raises
        ------
        StudyError
            If there is nothing left to try (a bare ask only).
        """
        if n is not None and not is_whole(n, 1):
            raise SettingError(
                f"ask(n={n!r}) needs a whole number of at least 1. Leave n out for a single one."
            )
        proposals = self.propose(1 if n is None else int(n), worker="asked by hand")
        if n is not None:
            return proposals
        if not proposals:
            raise StudyError(
                f"the optimizer has nothing left to propose after {len(self._history)} trials: "
                "every configuration that it can reach was tried. Widen the space, or stop here."
            )
        return proposals[0]

    def tell(
        self,
        trial: Proposal | int | Mapping[str, Any],
        values: float | Mapping[str, float] | None = None,
        *,
        failed: str | None = None,
        resources: Resources | None = None,
    ) -> Trial:
        """Say what came of a proposal, or of any configuration of your own.

        Parameters
        ----------
        trial
            What `ask` returned, its index, or a configuration that was never asked for.
        values
            The cost, or a dict with a number for each objective and constraint.
        failed
            In words, why there is no value.
        resources
            What it consumed, as you measured it, and how: also the value of an objective such as
            "energy", which only `run` can measure by itself.

        Returns
        -------
        Trial
            As stored.

        Raises
        ------
        StudyError
            If the index is unknown, or was told already.
        ObjectiveError
            If the values cannot be read, or one is missing that only `run` could measure.
        SpaceError
            If the configuration is not in the space.
        """
        its = check_resources(resources)
        has_all = resources is not None and is_measured(self.problem)
        if values is None and failed is None and has_all:
            values = {}  # what was measured is all there is to tell
        if (values is None) == (failed is None):
            given = "neither" if values is None else "both"
            raise SettingError(
                f"tell got {given} of values and failed. Give the cost (or a dict of costs), "
                'or failed="why" if there is none.'
            )
        if failed is not None and not isinstance(failed, str):
            raise SettingError(
                f"failed={failed!r} must be the reason in words, not of type "
                f'{type(failed).__name__}. Write such as failed="out of memory".'
            )
        # Before anything is stored:
        read = None if values is None else read_told(self.problem, self._history, values, its)
        proposal = self._known(trial)
        now = time.time()
        nan = float("nan")
        result = Trial(
            proposal=proposal,
            status=Status.SUCCESS if read else Status.CRASHED,
            costs=read[0] if read else (nan,) * self.problem.n_objectives,
            constraints=read[1] if read else (nan,) * len(self.problem.constraints),
            cause=failed or "",
            resources=read[3] if read else its,
            ended=now,
            worker="told",
            extra=read[2] if read else {},
        )
        self.complete(result)
        return result

    def _known(self, trial: Proposal | int | Mapping[str, Any]) -> Proposal:
        self.refresh()
        if isinstance(trial, Mapping):
            config = self.problem.space.check(trial)
            if self.problem.instances:
                raise StudyError(
                    "this study has instances, and a configuration alone does not say on which one "
                    "it was run. Ask for proposals, and tell what came of those."
                )
            return self.enqueue(config, by="user", intent="told without being asked")
        index = trial.index if isinstance(trial, Proposal) else trial
        if not is_whole(index, 0):
            raise SettingError(
                f"tell got {trial!r} of type {type(trial).__name__} as its trial. Pass what ask "
                "returned, its index, or a configuration."
            )
        index = int(index)
        if index in self._pending:
            return self._same(self._pending[index], trial)
        if (self._history.indices == index).any():
            raise StudyError(
                f"trial {index} was told already, and a completed trial never changes. "
                "To evaluate its configuration again, tell the configuration itself."
            )
        raise StudyError(
            f"trial {index} was never asked in this study (pending: {sorted(self._pending)}). "
            "Pass what ask returned, or a configuration."
        )

    @staticmethod
    def _same(pending: Proposal, trial: object) -> Proposal:
        if isinstance(trial, Proposal) and dict(trial.config) != dict(pending.config):
            raise StudyError(
                f"trial {trial.index} has the configuration {dict(trial.config)}, but this study "
                f"asked for {dict(pending.config)} under that number: it is another study's. Tell "
                "it to the study that asked, or tell this one the configuration alone."
            )
        return pending

    # Used by the loop and by rooms ------------------------------------------------------

    def enqueue(
        self, config: Mapping[str, Any], *, by: str = "user", intent: str = "queued by hand"
    ) -> Proposal:
        """Make a proposal of one's own; it is stored, and pending until it is told."""
        config = self.problem.space.check(config)
        fidelity = self.problem.fidelity

        def make() -> list[Proposal]:
            return [
                Proposal(
                    index=self._next_index,
                    config=config,
                    seed=trial_seed(self.seed, self._next_index),
                    fidelity=None if fidelity is None else float(fidelity.high),
                    # On one; a race runs it on others as long as it keeps up.
                    instance=next(iter(self.problem.instances), None),
                    origin=Origin(by=by, intent=intent),
                )
            ]

        return self._store_proposals(make, worker=None)[0]

    def propose(
        self, n: int, *, worker: str, lease_s: float | None = None, most: int | None = None
    ) -> list[Proposal]:
        """As `ask`, leased to a worker in the same commit.

        Parameters
        ----------
        n
            How many.
        worker
            Who is going to run them.
        lease_s
            For how many seconds, where one process writes; None: nobody runs them yet. A shared
            study's address says it.
        most
            So many trials there may be in all, pending ones included; None: any number.
        """

        def make() -> list[Proposal]:
            room = n if most is None else min(n, most - self._n_run - len(self._pending))
            return self._asked(room) if room > 0 else []

        return self._store_proposals(make, worker=worker, lease_s=lease_s)

    def complete(self, trial: Trial, *, token: int | None = None) -> None:
        """Store a completed trial, then let the optimizer learn of it.

        Parameters
        ----------
        trial
            What was found.
        token
            In a shared study, the token of the lease under which it was run.

        Raises
        ------
        LeaseLostError
            If another process has taken it over.
        """
        if self._store.sharing is not None:
            tokens = None if token is None else {trial.index: token}
            self._store.add_trials([trial], tokens=tokens)
            self._learn()  # it comes in its place among those of others
            return
        self._store.add_trials([trial])
        self._tell([trial])

    def _take_in(self, trial: Trial) -> None:
        self._pending.pop(trial.index, None)
        self._history.append(trial)
        self._n_run += trial.status is not Status.CANCELLED

    def _asked(self, n: int) -> list[Proposal]:
        if self._optimizer is None:
            limits = self._settings.get("run", {}).get("trial_limits", {})
            recipe = with_cutoff(self.recipe, self.problem, limits)
            self._optimizer = recipe.start(self.problem, self.seed)
            if len(self._history):
                self._optimizer.tell(list(self._history))
        return list(self._optimizer.ask(n, pending=self.pending))

    def resumable(self) -> frozenset[int] | None:
        """Trials that the optimizer may still resume; None if it does not say."""
        return None if self._optimizer is None else kept_by(self._optimizer)

    def _store_proposals(
        self,
        make: Callable[[], list[Proposal]],
        *,
        worker: str | None,
        lease_s: float | None = None,
    ) -> list[Proposal]:
        """Store what is made, once it was made in view of all that others proposed."""
        sharing = self._store.sharing
        if sharing is None:
            proposals = make()
            self._store.add_proposals(
                proposals,
                revision=self._revision,
                worker=None if lease_s is None else worker,
                expires_s=lease_s or 0.0,
            )
        else:
            with sharing.turn():
                while True:
                    self.refresh()
                    proposals = make()
                    if not proposals or sharing.propose(
                        proposals, revision=self._revision, worker=worker
                    ):
                        break
        for proposal in proposals:
            self._pending[proposal.index] = proposal
            self._next_index = max(self._next_index, proposal.index + 1)
        self._seen = replace(self._seen, next_index=self._next_index)
        return proposals

    def intervene(self, kind: str, data: Mapping[str, Any], who: str) -> None:
        """Record that somebody steered the study."""
        self._store.add_intervention(
            Intervention(
                kind=kind, data=dict(data), who=who, at=time.time(), from_index=self._next_index
            )
        )

    def update_settings(self, **changes: Any) -> None:
        """Store settings of the study that later sessions need."""
        if self._store.sharing is not None:  # others may have changed some, too
            self._settings = self._store.update_settings(changes)
            return
        self._settings = {**self._settings, **changes}
        self._store.save_settings(self._settings)

    @property
    def store(self) -> Store:
        """Where the history lies."""
        return self._store

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the study remembers besides its trials."""
        return self._settings

    # Running -------------------------------------------------------------------------

    def run(
        self,
        objective: Callable[..., Any],
        *,
        max_trials: int | None = None,
        time_limit: str | float | None = None,
        cpu_limit: str | float | None = None,
        target: float | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
        trial_limits: TrialLimits | None = None,
        data: Mapping[str, Any] | None = None,
        energy: Energy | None = None,
        callbacks: Sequence[Callback] = (),
        stoppers: Sequence[Stopper] = (),
        checkpoint_limit: str | float | None = None,
        progress: bool | None = None,
    ) -> Study:
        """Evaluate proposals until a limit is reached; see `minimize` for the arguments.

        `max_trials` counts all trials of the study, those of earlier runs included; the
        other limits count from this call. Proposals left pending by an earlier run are
        evaluated first, with the same seeds.
        """
        from octavo.study.running import RunSettings, run_study

        run_study(
            self,
            objective,
            RunSettings(
                limits=read_limits(max_trials, time_limit, cpu_limit, target),
                workers=workers,
                executor=executor,
                trial_limits=trial_limits,
                data=data,
                energy=energy,
                callbacks=callbacks,
                stoppers=stoppers,
                checkpoint_mb=megabytes(checkpoint_limit, "checkpoint_limit"),
                progress=progress,
            ),
        )
        return self

    def resume(
        self,
        objective: Callable[..., Any] | None = None,
        *,
        max_trials: int | None = None,
        time_limit: str | float | None = None,
        cpu_limit: str | float | None = None,
        target: float | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
        trial_limits: TrialLimits | None = None,
        data: Mapping[str, Any] | None = None,
        energy: Energy | None = None,
        callbacks: Sequence[Callback] = (),
        stoppers: Sequence[Stopper] | None = None,
        checkpoint_limit: str | float | None = None,
        progress: bool | None = None,
    ) -> Study:
        """Go on where the study was left, by default with its own objective and limits.

        Parameters
        ----------
        objective
            Needed only if the stored one cannot be imported (lambdas, closures,
            functions of `__main__`).
        max_trials, time_limit, cpu_limit, target
            If none is given, what is left of the limits that the study was planned with.
        workers, executor, trial_limits, data, energy, callbacks, progress
            As in `minimize`; workers, limits, data and energy of the last run by default.
        stoppers, checkpoint_limit
            As in `minimize`; those of the last run by default.

        Raises
        ------
        StudyError
            If the objective cannot be imported, or the stored data are gone.
        SettingError
            If the stoppers of the last run could not be stored: pass them again.
        """
        from octavo.study.running import RunSettings, resume_study

        resume_study(
            self,
            objective,
            RunSettings(
                limits=read_limits(max_trials, time_limit, cpu_limit, target),
                workers=workers,
                executor=executor,
                trial_limits=trial_limits,
                data=data,
                energy=energy,
                callbacks=callbacks,
                stoppers=stoppers,
                checkpoint_mb=megabytes(checkpoint_limit, "checkpoint_limit"),
                progress=progress,
            ),
        )
        return self

    def validate(
        self,
        instances: Sequence[str],
        objective: Callable[..., Any] | None = None,
        *,
        n_best: int = 1,
        configs: Sequence[Mapping[str, Any]] = (),
        repeats: int | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
        trial_limits: TrialLimits | None = None,
        data: Mapping[str, Any] | None = None,
        storage: str | Path | None = None,
        progress: bool | None = None,
    ) -> Study:
        """Run the best configurations on other instances than those of the search.

        A search fits its instances; how good its result is only others tell. Each configuration
        is run on each of them, without capping, in a study of its own: nothing of it enters
        this study's history, so the search learns nothing of the instances that judge it.

        Parameters
        ----------
        instances
            Names of the held-out instances.
        objective
            Needed only if the stored one cannot be imported, as in `resume`.
        n_best
            How many configurations: the incumbent, then by `History.standings` the others that
            were run on as much, then by how far they came.
        configs
            Further ones to compare with, such as the default one.
        repeats
            Seeds for each instance; by default as many as in the search, and others.
        workers, executor, trial_limits, data, progress
            As in `minimize`; workers, limits and data of the last run by default.
        storage
            Folder of the validation. By default one inside this study's folder that belongs to
            these configurations and instances: the same call goes on where it was interrupted,
            and runs nothing twice. In memory if this study is.

        Returns
        -------
        Study
            To be closed by the caller. Its `best` is the best on these instances, and
            `history.standings()` compares all.

        Raises
        ------
        StudyError
            If no configuration has succeeded yet, or the objective cannot be imported.
        ProblemError, SpaceError
            If an argument makes no sense.
        """
        from octavo.study.validation import validate_study

        return validate_study(
            self,
            instances,
            objective,
            n_best=n_best,
            configs=configs,
            repeats=repeats,
            workers=workers,
            executor=executor,
            trial_limits=trial_limits,
            data=data,
            storage=storage,
            progress=progress,
        )

    # Closing -------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the store (and its writer's lock), and of files outside of it."""
        self._store.close()
        if self._remove_scratch is not None:
            self._remove_scratch()
            self._scratch = self._remove_scratch = None

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        done = len(self._history)
        best = self._history.incumbent_cost
        found = "" if best != best else f", best {self.problem.objectives[0].value(best):.6g}"
        return f"<Study {self.name!r}: {done} trials{found}>"


def open_study(
    folder: str | Path,
    *,
    write: bool = True,
    priors: Callable[[dict[str, Any]], float] | None = None,
) -> Study:
    """Open a study that lies in a folder or on a server.

    Parameters
    ----------
    folder
        As given as `storage` when it was made. A shared study may be open in any number of
        processes, each of which may `run` it.
    write
        False only looks: it needs no lock and works while another process runs the study.
    priors
        The function that the study was made with as its `priors`, if it was one: functions are
        not stored. Without it the search goes on without the belief, and says so.

    Raises
    ------
    SettingError
        If there are priors for a study that was not made with a function.
    StorageError
        If there is no study, or it cannot be read.
    StudyLockedError
        If another process is writing to it.
    """
    store = open_store(read_storage(folder), write=write)
    try:
        return Study._open(store, priors)
    except BaseException:
        store.close()
        raise
