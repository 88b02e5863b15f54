"""What `make demo` runs: the main job, on a real table, as a person would type it.

Learns from 3,000 flights whether a flight arrives late, predicts 1,000 others, and scores
the predictions beside a plain baseline.
"""

import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from skrub import tabular_pipeline

ROOT = Path(__file__).resolve().parent.parent
TRAIN = "examples/data/flights_train.csv"
TEST = "examples/data/flights_test.csv"
OUT = "demo-output/flights"
TARGET = "late"
LATE = "yes"


def octavo(*arguments: str) -> None:
    """Run a command of Octavo's, showing it first; end here if it fails."""
    print(f"\n$ octavo {shlex.join(arguments)}", flush=True)
    done = subprocess.run(
        [Path(sys.executable).with_name("octavo"), *arguments], cwd=ROOT, check=False
    )
    if done.returncode:
        sys.exit(f"octavo ended with exit code {done.returncode}")


def baseline(train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Area under the ROC curve of a logistic regression with everyday preprocessing."""
    model = tabular_pipeline(LogisticRegression(max_iter=1_000))
    model.fit(train.drop(columns=TARGET), train[TARGET])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of destinations that it has not seen
        probabilities = model.predict_proba(test.drop(columns=TARGET))
    return roc_auc_score(test[TARGET] == LATE, probabilities[:, list(model.classes_).index(LATE)])


def main() -> None:
    """Fit, predict, compare."""
    fresh = 1  # every demonstration starts anew, and none overwrites an earlier one
    while (ROOT / (out := f"{OUT}-{fresh}")).exists():
        fresh += 1
    predictions = f"{out}/predictions.csv"

    octavo(
        "fit", TRAIN, "--target", TARGET, "--metric", "roc_auc",
        "--time", "45s", "--workers", "2", "--seed", "0", "--out", out,
    )  # fmt: skip
    octavo("leaderboard", out)
    octavo("predict", out, TEST, "--proba", "--out", predictions)

    train, test = pd.read_csv(ROOT / TRAIN), pd.read_csv(ROOT / TEST)
    predicted = pd.read_csv(ROOT / predictions)
    score = roc_auc_score(test[TARGET] == LATE, predicted[f"probability_{LATE}"])
    plain = baseline(train, test)
    print(f"\nArea under the ROC curve on {len(test):,} flights that neither has seen:")
    print(f"  Octavo, 45 seconds    {score:.3f}")
    print(f"  logistic regression   {plain:.3f}")
    print(f"  guessing              {0.5:.3f}")
    print(f"\nPredictions:  {predictions}")
    print(f"Report:       {out}/report.html   (open it in a browser)")


if __name__ == "__main__":
    main()
