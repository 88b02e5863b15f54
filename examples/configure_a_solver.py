"""Configure a solver: settings that are quick over many instances, judged on others.

The solver is WalkSAT (Selman, Kautz & Cohen 1994) in plain Python, so that this runs everywhere;
examples/any_program shows how a program of your own is called.

python examples/configure_a_solver.py
"""

import random

import octavo

# Formulas of 3 literals a clause, each from its number; yours are usually paths of files.
TRAIN = [f"formula-{number}" for number in range(8)]
HELD_OUT = [f"formula-{number}" for number in range(100, 108)]

SPACE = octavo.space(
    noise=octavo.Float(0.0, 1.0, default=0.9),  # how often a random variable is flipped
    restart=octavo.Integer(100, 100_000, log=True, default=300),  # after so many flips
    greedy=octavo.Categorical(["fewest broken", "most mended"], default="most mended"),
)


def formula(instance: str) -> list[list[int]]:
    """Clauses that a hidden assignment satisfies."""
    rng = random.Random(instance)
    n = rng.randint(100, 200)
    hidden = [v * rng.choice([-1, 1]) for v in range(1, n + 1)]
    clauses: list[list[int]] = []
    while len(clauses) < 4 * n:
        clause = [v * rng.choice([-1, 1]) for v in rng.sample(range(1, n + 1), 3)]
        if any(x == hidden[abs(x) - 1] for x in clause):
            clauses.append(clause)
    return clauses


def walksat(config, *, instance, seed):
    """Flip variables of clauses that are not satisfied, until all are.

    Returns nothing: the CPU time is measured, and a run that takes too long is killed.
    """
    clauses, rng = formula(instance), random.Random(seed)
    n = max(abs(x) for clause in clauses for x in clause)
    within: dict[int, list[int]] = {x: [] for v in range(1, n + 1) for x in (v, -v)}
    for place, clause in enumerate(clauses):
        for x in clause:
            within[x].append(place)
    while True:
        true = {v * rng.choice([-1, 1]) for v in range(1, n + 1)}
        n_true = [sum(x in true for x in clause) for clause in clauses]
        broken = [place for place, count in enumerate(n_true) if not count]
        for _ in range(config["restart"]):
            broken = [place for place in broken if not n_true[place]]
            if not broken:
                return
            clause = clauses[rng.choice(broken)]
            if rng.random() < config["noise"]:
                x = rng.choice(clause)
            elif config["greedy"] == "fewest broken":
                x = min(clause, key=lambda x: sum(n_true[p] == 1 for p in within[-x]))
            else:
                x = max(clause, key=lambda x: sum(n_true[p] == 0 for p in within[x]))
            true.remove(-x)
            true.add(x)
            for place in within[x]:
                n_true[place] += 1
            for place in within[-x]:
                n_true[place] -= 1
                if not n_true[place]:
                    broken.append(place)


def main() -> None:
    """Search on some formulas, compare on others."""
    limits = {"trial_cpu_time": "0.5s", "workers": 2}
    study = octavo.minimize(
        walksat, SPACE, objectives=["cpu_time"], instances=TRAIN, max_trials=80, seed=0, **limits
    )
    killed = [trial for trial in study.history if trial.status == "timeout"]
    capped = [trial for trial in killed if trial.proposal.cutoff_s < 0.5]
    print(
        f"{len(study.history)} runs: {len(killed)} killed, {len(capped)} as soon as they had lost"
    )
    with study.validate(HELD_OUT, walksat, configs=[SPACE.default()]) as validation:
        print(f"On {len(HELD_OUT)} other formulas, a run that was killed counting ten times 0.5 s:")
        for row in validation.history.standings():
            print(f"  {row.cost:6.3f} s   {dict(row.config)}")


if __name__ == "__main__":
    main()
