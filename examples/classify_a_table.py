"""A table with categories and missing values: which flights will be late?

python examples/classify_a_table.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from sklearn.metrics import roc_auc_score

import octavo

DATA = Path(__file__).parent / "data"


def main() -> None:
    """Search for a while, look at what was found, save it, use it."""
    train, test = (pd.read_csv(DATA / f"flights_{part}.csv") for part in ("train", "test"))

    model = octavo.AutoClassifier(time_limit="20s", metric="roc_auc", n_jobs=2, random_state=0)
    model.fit(train.drop(columns="late"), train["late"])
    print(model.leaderboard().to_string())

    with TemporaryDirectory() as room:
        model.save(Path(room) / "late")
        loaded = octavo.load_model(Path(room) / "late")
        late = list(loaded.target.classes).index("yes")
        probability = loaded.predict_proba(test.drop(columns="late"))[:, late]
    print(f"area under the ROC curve: {roc_auc_score(test['late'] == 'yes', probability):.3f}")


if __name__ == "__main__":
    main()
