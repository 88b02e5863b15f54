"""The page is valid, complete, offline, says the numbers it was given, and escapes."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.report import (
    Column,
    Feature,
    Member,
    ModelRow,
    Predictions,
    ReportData,
    Setting,
    TrialPoint,
    render,
    write,
)

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Walks the whole file: nesting, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action", "data"):
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def check(html: str) -> Page:
    """What every report must be."""
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert not {"script", "iframe", "object", "embed", "link", "img", "base"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert dict(page.attributes)["content"]
    assert "default-src 'none'" in html
    for name, value in page.attributes:
        if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d"):
            assert "nan" not in value
            assert "inf" not in value
        if name in ("width", "height", "r") and value.replace(".", "").isdigit():
            assert float(value) >= 0
    return page


def classes(seed=0, n_rows=120, n_classes=3) -> Predictions:
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % n_classes
    p = rng.dirichlet(np.ones(n_classes), n_rows) + np.eye(n_classes)[y]
    p /= p.sum(1, keepdims=True)
    return Predictions(y, p, tuple(f"kind {k}" for k in range(n_classes)), where="held-out rows")


def numbers(seed=0, n_rows=120) -> Predictions:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n_rows)
    return Predictions(y, y + rng.normal(size=n_rows))


FULL = ReportData(
    target="species",
    task="multiclass",
    metric="accuracy",
    score=0.9517,
    interval=(0.9123, 0.9789),
    baseline=0.3456,
    baseline_name="always answering with the most frequent class",
    optimum=1.0,
    test_score=0.9444,
    n_rows=12345,
    columns=(
        Column("petal", "number", 0.25, 43, (1.0, 5.0, 2.0), "1 to 7, median 4", "much missing"),
        Column("nothing", "category", 1.0, None),
    ),
    warnings=("Column 'nothing' is empty.",),
    leaderboard=tuple(
        ModelRow(f"Model {k}", 0.9 - k / 100, 0.8, 1.5, 0.01, 0.5 if k < 2 else 0.0, f"depth {k}")
        for k in range(20)
    ),
    ensemble=(Member("Model 0", 0.75), Member("Model 1", 0.25)),
    progress=((1.0, 0.8), (5.0, 0.9)),
    ensemble_progress=((1.0, 0.8), (6.0, 0.95)),
    trials=(
        TrialPoint(1.0, "Linear", 0.8),
        TrialPoint(5.0, "LightGBM", 0.9, detail="31 leaves"),
        TrialPoint(9.0, "SVM", None, "timeout", "over 50 s"),
    ),
    space=(Setting("LightGBM", "learning_rate", "0.001 to 0.5, log"),),
    validation=classes(),
    importance=(Feature("petal", 0.31, 0.25, 0.37), Feature("nothing", 0.0)),
    judged="Five folds.",
    stopped="It stopped at the time limit.",
    resources={"Peak memory": "612 MiB"},
    versions={"octavo": "0.1.0"},
    settings={"seed": "7"},
    created="2025-06-01",
)


def test_the_first_screen_says_it_in_words():
    words = check(render(FULL)).words
    assert "Predicting species" in words
    assert (
        "This model predicts species (3 classes) from 2 columns, learned from 12,345 rows" in words
    )
    assert "On held-out rows its accuracy is 0.9517 , with 95 % confidence between" in words
    assert "0.9123 and 0.9789; always answering with the most frequent class has 0.3456" in words
    assert "better than the baseline" in words
    assert "93 % of the way to perfect" in words
    assert "Column 'nothing' is empty." in words


@pytest.mark.parametrize(
    "given_text",
    ["0.9444", "Model 19", "depth 3", "75 %", "1.5 s", "learning_rate", "612 MiB", "31 leaves",
     "over 50 s", "much missing", "1 to 7, median 4", "Five folds.", "It stopped at the time",
     "5 more models", "3 models were tried, and 1 failed", "0.31", "kind 2"],
)  # fmt: skip
def test_every_number_given_is_shown(given_text):
    assert given_text in check(render(FULL)).words


def test_models_that_were_stopped_early_have_not_failed():
    stopped = TrialPoint(3.0, "SVM", None, "stopped", "fell behind")
    words = check(render(replace(FULL, trials=(*FULL.trials, stopped)))).words
    assert "4 models were tried, 1 of them stopped early" in words
    assert "as they fell behind, and 1 failed." in words
    assert "crosses were stopped early or failed" in words


def test_the_confusion_matrix_counts():
    y = np.array([0, 0, 0, 1, 1])
    labels = np.array([0, 0, 1, 1, 1])
    validation = Predictions(y, np.full((5, 2), 0.5), ("no", "yes"), labels=labels)
    words = check(render(replace(FULL, task="binary", validation=validation))).words
    assert "true no, predicted no: 2 rows, 67 %" in words
    assert "true no, predicted yes: 1 rows, 33 %" in words
    assert "true yes, predicted yes: 2 rows, 100 %" in words


def test_curves_know_their_area():
    y = np.array([0, 1, 0, 1])
    one = np.array([0.1, 0.4, 0.5, 0.9])
    validation = Predictions(y, np.column_stack([1 - one, one]), ("no", "yes"))
    words = check(render(replace(FULL, task="binary", validation=validation))).words
    assert "yes: area 0.75" in words
    assert "yes: average precision 0.833" in words


@pytest.mark.parametrize(
    ("score", "interval", "higher", "verdict"),
    [
        (0.9, (0.8, 0.95), True, "better than the baseline"),
        (0.4, (0.3, 0.5), True, "not surely better than the baseline"),
        (0.3, (0.2, 0.4), True, "no better than the baseline"),
        (0.3, (0.2, 0.34), False, "better than the baseline"),
        (0.9, (0.8, 0.95), False, "no better than the baseline"),
    ],
)
def test_the_verdict_is_honest(score, interval, higher, verdict):
    data = replace(FULL, score=score, interval=interval, greater_is_better=higher)
    assert f'">{verdict}</span>' in render(data)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_little_is_enough(task):
    page = check(render(ReportData(target="y", task=task, metric="rmse", score=1.0)))
    assert "Predicting y" in page.words
    assert page.ids == ["summary", "record"]


def test_regression_has_its_own_drawings():
    data = replace(
        FULL, task="regression", metric="rmse", greater_is_better=False, optimum=0.0,
        validation=numbers(),
    )  # fmt: skip
    words = check(render(data)).words
    assert "Residuals" in words
    assert "Confusion matrix" not in words
    assert "root mean squared error is 0.9517" in words


hostile = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "{{ 7 * 7 }}",
            "</style>",
            "' onmouseover='x",
            "&lt;b&gt;",
            "</title><script>",
        ]
    ),
    # Without control characters and surrogates, which no HTML file can hold.
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60),
)


@given(name=hostile, task=st.sampled_from(["multiclass", "regression"]))
def test_names_are_only_text(name, task):
    validation = classes() if task == "multiclass" else numbers()
    if task == "multiclass":
        validation = replace(validation, classes=(name, name + "2", "c"))
    data = replace(
        FULL,
        task=task,
        target=name,
        metric=name,
        baseline_name=name,
        columns=(Column(name, name, 0.1, 2, (1.0, 2.0), name, name),),
        warnings=(name,),
        leaderboard=(ModelRow(name, 0.5, detail=name),),
        ensemble=(Member(name, 1.0, name),),
        trials=(TrialPoint(1.0, name, 0.5, detail=name), TrialPoint(2.0, name, None, name, name)),
        space=(Setting(name, name, name),),
        validation=validation,
        importance=(Feature(name, 1.0),),
        judged=name,
        stopped=name,
        resources={name: name},
        versions={name: name},
        settings={name: name},
        created=name,
    )
    page = check(render(data))
    assert page.words.count(name) >= 10


@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(1, 60),
    n_classes=st.integers(2, 30),
    constant=st.booleans(),
)
def test_predictions_of_any_shape_are_drawn(seed, n_rows, n_classes, constant):
    given_p = classes(seed, n_rows, n_classes)
    if constant:
        given_p = replace(given_p, prediction=np.full((n_rows, n_classes), 1 / n_classes))
    task = "binary" if n_classes == 2 else "multiclass"
    check(render(replace(FULL, task=task, validation=given_p)))
    flat = numbers(seed, n_rows)
    if constant:
        flat = replace(flat, prediction=np.zeros(n_rows), y_true=np.full(n_rows, 3.0))
    check(render(replace(FULL, task="regression", validation=flat)))


@given(
    score=st.floats(-1e9, 1e9),
    baseline=st.floats(-1e9, 1e9),
    optimum=st.sampled_from([None, 0.0, 1.0, float("inf"), float("-inf")]),
    higher=st.booleans(),
    trials=st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(-1e12, 1e12)), max_size=20),
)
def test_numbers_of_any_size_are_drawn(score, baseline, optimum, higher, trials):
    data = replace(
        FULL,
        score=score,
        interval=(score - 1, score + 1),
        baseline=baseline,
        optimum=optimum,
        greater_is_better=higher,
        trials=tuple(TrialPoint(t, "m", s) for t, s in trials),
        progress=((0.0, score),),
        importance=(Feature("a", score, float("nan"), float("nan")), Feature("b", 0.0)),
    )
    check(render(data))


def test_long_tables_fold_and_wide_ones_stay_small():
    columns = tuple(Column(f"column_{k}", "number", 0.0, 9, (1.0,) * 16) for k in range(200))
    features = tuple(Feature(f"column_{k}", 1 / (k + 1)) for k in range(200))
    html = render(replace(FULL, columns=columns, importance=features))
    page = check(html)
    assert "185 more columns" in page.words
    assert "The 20 most important of 200 columns." in page.words
    assert "column_199" in page.words
    assert len(html) < 1_000_000


def test_ten_thousand_rows_stay_small():
    html = render(replace(FULL, task="regression", validation=numbers(0, 50_000)))
    check(html)
    assert len(html) < 1_000_000


def test_the_file_is_written_where_asked(tmp_path):
    path = write(FULL, tmp_path / "deep" / "er" / "report.html")
    assert path.read_text(encoding="utf-8") == render(FULL)
