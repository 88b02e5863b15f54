"""Drive the search from outside: Octavo proposes, you measure, whenever you like.

python examples/ask_and_tell.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import octavo


def bake(config: dict) -> float:
    """Stands for an experiment in the real world: how far a cake is from perfect."""
    heat = (config["degrees"] - 180) / 40
    time = (config["minutes"] - 45) / 20
    return heat**2 + time**2 + 0.3 * (config["flour"] != "wheat")


def main() -> None:
    """Ask one day, tell the next."""
    space = octavo.space(
        degrees=octavo.Integer(120, 240, step=5),
        minutes=octavo.Integer(20, 90),
        flour=octavo.Categorical(["wheat", "rye", "spelt"]),
    )
    with TemporaryDirectory() as room:
        folder = Path(room) / "cakes"
        with octavo.Study(space=space, seed=0, storage=folder) as study:
            asked = study.ask(3)  # three ovens

        # The next day, in another process: the open proposals are known by their index.
        with octavo.open_study(folder) as study:
            study.tell(asked[0].index, bake(asked[0].config))
            study.tell(asked[1].index, bake(asked[1].config))
            study.tell(asked[2].index, failed="the oven broke")

            # grandmother's recipe, which nobody asked for
            study.tell({"degrees": 175, "minutes": 50, "flour": "wheat"}, 0.08)

            for _ in range(20):
                trial = study.ask()
                study.tell(trial, bake(trial.config))
            print(
                f"best of {len(study.history)} cakes: {study.best_config} ({study.best_value:.3f})"
            )


if __name__ == "__main__":
    main()
