"""Solvers, what can be chosen in them, and how they are called.

minisat, clasp and cadical of Debian's packages of the same names. Values are those that the
solvers' own help pages name as defaults; ranges lie around them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import octavo
from octavo import Categorical, Float, Integer

__all__ = ["SOLVERS", "Solver"]

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Solver:
    """A program that is to be configured.

    Parameters
    ----------
    name
        Of the program.
    space
        What can be chosen; its default configuration is the solver's own.
    arguments
        From a configuration to arguments.
    seed_argument
        How the program is told its seed.
    """

    name: str
    space: Any
    arguments: Callable[[Config], list[str]]
    seed_argument: str

    def command(self, config: Config, path: str, seed: int | None = None) -> list[str]:
        """The command line that solves a file; without a seed, with the program's own."""
        program = shutil.which(self.name)
        if program is None:
            raise SystemExit(f"{self.name} is not installed. Run: apt-get install {self.name}")
        # One that every solver takes: minisat refuses 0, cadical what is above 2e9.
        seeded = () if seed is None else (f"{self.seed_argument}={1 + seed % 1_000_000_007}",)
        return [program, *self.arguments(config), *seeded, path]


def _switch(default: str) -> Categorical:
    return Categorical(["on", "off"], default=default)


MINISAT = octavo.space(
    rnd_freq=Float(0.0, 0.2, default=0.0),
    var_decay=Float(0.6, 0.999, default=0.95),
    cla_decay=Float(0.9, 0.99999, default=0.999),
    rinc=Float(1.1, 5.0, default=2.0),
    gc_frac=Float(0.05, 1.0, default=0.2),
    rfirst=Integer(10, 2000, log=True, default=100),
    phase_saving=Categorical([0, 1, 2], default=2),
    ccmin_mode=Categorical([0, 1, 2], default=2),
    luby=_switch("on"),
    rnd_init=_switch("off"),
    pre=_switch("on"),
    elim=_switch("on").when(pre="on"),
    asymm=_switch("off").when(pre="on"),
    rcheck=_switch("off").when(pre="on"),
    grow=Integer(0, 50, default=0).when(elim="on"),
    cl_lim=Integer(5, 100, log=True, default=20).when(elim="on"),
    sub_lim=Integer(10, 5000, log=True, default=1000).when(elim="on"),
)


def _minisat(config: Config) -> list[str]:
    made = ["-verb=0"]
    for name, value in config.items():
        word = name.replace("_", "-")
        if value in ("on", "off"):
            made.append(f"-{word}" if value == "on" else f"-no-{word}")
        else:
            made.append(f"-{word}={value}")
    return made


CLASP = octavo.space(
    heuristic=Categorical(["Vsids", "Vmtf", "Berkmin"], default="Vsids"),
    vsids_decay=Integer(70, 99, default=92).when(heuristic="Vsids"),
    vmtf=Integer(2, 64, log=True, default=8).when(heuristic="Vmtf"),
    berkmin=Integer(1, 512, log=True, default=512).when(heuristic="Berkmin"),
    save_progress=Integer(0, 200, default=180),
    restarts=Categorical(["geometric", "luby", "dynamic"], default="geometric"),
    base=Integer(10, 1000, log=True, default=100).when(restarts=["geometric", "luby"]),
    factor=Float(1.05, 3.0, default=1.5).when(restarts="geometric"),
    k=Float(0.6, 0.95, default=0.7).when(restarts="dynamic"),
    window=Integer(20, 200, log=True, default=100).when(restarts="dynamic"),
    strengthen=Categorical(["local", "recursive", "no"], default="local"),
    otfs=Integer(0, 2, default=0),
    reverse_arcs=Integer(0, 3, default=0),
    deletion=Categorical(["basic", "sort", "ipSort"], default="basic"),
    share=Integer(10, 95, default=75),
    glue=Integer(0, 8, default=0),
    prepro=Integer(0, 3, default=2),
)


def _clasp(config: Config) -> list[str]:
    heuristic = config["heuristic"]
    number = {"Vsids": "vsids_decay", "Vmtf": "vmtf", "Berkmin": "berkmin"}[heuristic]
    restarts = {
        "geometric": lambda: f"x,{config['base']},{config['factor']}",
        "luby": lambda: f"L,{config['base']}",
        "dynamic": lambda: f"D,{config['window']},{config['k']}",
    }[config["restarts"]]()
    return [
        "--configuration=frumpy", "--quiet=2", "--verbose=0",
        f"--heuristic={heuristic},{config[number]}",
        f"--save-progress={config['save_progress']}",
        f"--restarts={restarts}",
        f"--strengthen={config['strengthen']}",
        f"--otfs={config['otfs']}",
        f"--reverse-arcs={config['reverse_arcs']}",
        f"--deletion={config['deletion']},{config['share']}",
        f"--del-glue={config['glue']}",
        f"--sat-prepro={config['prepro'] or 'no'}",
    ]  # fmt: skip


_CADICAL_SWITCHES = {
    "bump": "on", "bumpreason": "on", "chronoreusetrail": "on", "elim": "on", "probe": "on",
    "subsume": "on", "ternary": "on", "vivify": "on", "walk": "on", "lucky": "on",
    "stabilize": "on", "rephase": "on", "phase": "on", "block": "off", "condition": "off",
    "cover": "off", "forcephase": "off", "instantiate": "off", "score": "on", "reduce": "on",
}  # fmt: skip

CADICAL = octavo.space(
    **{name: _switch(default) for name, default in _CADICAL_SWITCHES.items()},
    chrono=Integer(0, 2, default=1),
    restartint=Integer(1, 500, log=True, default=2),
    restartmargin=Integer(0, 50, default=10),
    reduceint=Integer(50, 3000, log=True, default=300),
    reducetarget=Integer(20, 95, default=75),
    reducetier1glue=Integer(1, 6, default=2),
    reducetier2glue=Integer(6, 20, default=6),
    scorefactor=Integer(700, 999, default=950),
    stabilizeint=Integer(100, 20000, log=True, default=1000),
    shrink=Integer(0, 3, default=3),
    elimboundmax=Integer(0, 64, default=16),
)


def _cadical(config: Config) -> list[str]:
    made = ["-q"]
    for name, value in config.items():
        made.append(f"--{name}={ {'on': 1, 'off': 0}.get(value, value) }")
    return made


SOLVERS: Mapping[str, Solver] = {
    "minisat": Solver("minisat", MINISAT, _minisat, "-rnd-seed"),
    "clasp": Solver("clasp", CLASP, _clasp, "--seed"),
    "cadical": Solver("cadical", CADICAL, _cadical, "--seed"),
}
