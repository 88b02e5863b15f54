"""Reading tables from files: every format gives the same table, every mishap a remedy."""

import gzip
import os

import pandas as pd
import pytest

from octavo.errors import DataError
from octavo.tabular.reading import read_table

TABLE = pd.DataFrame(
    {
        "size": [1.5, 2.5, None, 4.0],
        "color": ["red", "light, blue", "green", None],
        "n": [1, 2, 3, 4],
    }
)


@pytest.mark.parametrize("zipped", ["", ".gz"])
@pytest.mark.parametrize(
    ("ending", "delimiter"),
    [(".csv", ","), (".csv", ";"), (".tsv", "\t"), (".txt", "|"), (".txt", "\t"), (".data", ",")],
)
def test_a_delimited_file_gives_the_table_whatever_separates_it(
    tmp_path, ending, delimiter, zipped
):
    path = tmp_path / f"table{ending}{zipped}"
    TABLE.to_csv(path, index=False, sep=delimiter)
    pd.testing.assert_frame_equal(read_table(path), TABLE)


@pytest.mark.parametrize(
    ("ending", "save"),
    [
        (".parquet", lambda path: TABLE.to_parquet(path)),
        (".feather", lambda path: TABLE.to_feather(path)),
        (".jsonl", lambda path: TABLE.to_json(path, orient="records", lines=True)),
        (".json", lambda path: TABLE.to_json(path, orient="records")),
    ],
)
def test_other_formats_give_the_same_table_packed_or_not(tmp_path, ending, save):
    path = tmp_path / f"table{ending}"
    save(path)
    packed = tmp_path / f"table{ending}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, str(packed)):
        pd.testing.assert_frame_equal(read_table(file), TABLE, check_dtype=False)


def test_cells_full_of_commas_do_not_mislead_a_tab_separated_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("id\tnote\n1\ta, b, c\n2\td, e, f\n3\tg, h, i\n")
    assert read_table(path)["note"].tolist() == ["a, b, c", "d, e, f", "g, h, i"]


def test_columns_separated_by_blanks(tmp_path):
    path = tmp_path / "old.data"
    path.write_text("a   b  c\n1   2  3\n4  5   6\n")
    assert read_table(path).to_numpy().tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_umlauts_survive_every_usual_encoding(tmp_path, encoding):
    path = tmp_path / "orte.csv"
    path.write_bytes("stadt,größe\nKöln,1\nZürich,2\n".encode(encoding))
    frame = read_table(path)
    assert frame.columns.tolist() == ["stadt", "größe"]
    assert frame["stadt"].tolist() == ["Köln", "Zürich"]


def test_a_table_of_one_column_of_sentences_is_a_table(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("review\nvery good indeed\nnot so good\n")
    assert read_table(path).shape == (2, 1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", ["empty.csv", "is empty", "line of names"]),
        ("names.csv", b"a,b,c\n", ["names.csv", "no rows", "'a'"]),
        ("quote.csv", b'a,b\n"1,2\n3,4\n', ["quote.csv", "not a regular table", "quote"]),
        ("ragged.csv", b"a,b\n1,2\n3,4,5\n", ["ragged.csv", "line 3", "too many cells"]),
        ("colons.csv", b"a:b\n1:2\n3:4\n", ["single column", "':'", "Separate cells"]),
        ("fake.parquet", b"a,b\n1,2\n", ["fake.parquet", "named like parquet", "ending"]),
        ("really.csv", b"PAR1\x15\x04\x15", ["binary", ".parquet"]),
        ("sheet.csv", b"PK\x03\x04aaaa", ["binary", "spreadsheet"]),
        ("table.xlsx", b"PK\x03\x04", ["'.xlsx'", "not a table format", ".csv"]),
        (
            "broken.csv.gz",
            gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:20],
            ["could not be", "fetch"],
        ),
        ("bad.jsonl", b'{"a": 1}\n{"a": \n', ["bad.jsonl", "json lines"]),
    ],
)
def test_a_file_that_is_no_table_says_what_is_wrong_and_what_to_do(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(path)
    for part in said:
        assert part in str(caught.value)


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"no file 'trian.csv'.*Did you mean 'train.csv'"):
        read_table(tmp_path / "trian.csv")
    with pytest.raises(DataError, match="no folder"):
        read_table(tmp_path / "nowhere" / "train.csv")
    with pytest.raises(DataError, match=r"is a folder.*It holds 'train.csv'"):
        read_table(tmp_path)


def test_a_file_that_only_pretends_to_be_packed_is_read(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_text("a,b\n1,2\n")
    assert read_table(os.fspath(path)).columns.tolist() == ["a", "b"]
