"""TaskSet's learning curves: 12 tasks x 1,000 Adam configurations x 51 validation losses.

Metz et al. (2020), Using a thousand optimization tasks to learn hyperparameter search
strategies. The file `taskset_adam8p_12tasks.parquet` has one row per task and configuration.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_STEPS", "STEPS", "load"]

N_STEPS = 51
STEPS = np.arange(1.0, N_STEPS + 1)


def load(folder: str) -> dict[str, NDArray[np.float64]]:
    """Validation losses of each task, shape (1000, 51); NaN from where a run diverged.

    Parameters
    ----------
    folder
        That has `hpo/taskset_adam8p_12tasks.parquet`.
    """
    import pandas as pd

    path = Path(folder) / "hpo" / "taskset_adam8p_12tasks.parquet"
    if not path.exists():
        raise SystemExit(f"{path} does not exist: give its folder by --data or OCTAVO_DATA.")
    frame = pd.read_parquet(path, columns=["task", "config", "valid_loss"])
    frame = frame.sort_values(["task", "config"])
    return {
        str(task): np.stack(rows["valid_loss"].to_list()).astype(float)
        for task, rows in frame.groupby("task", observed=True)
    }
