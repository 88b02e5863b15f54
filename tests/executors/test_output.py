"""Output that is kept: its beginning and its end, never more than promised."""

from pathlib import Path

from hypothesis import given, strategies as st

from octavo.executors.output import Output


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 60))
def test_the_beginning_and_the_end_are_kept(
    tmp_path_factory: object, pieces: list[bytes], half: int
) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "output.txt"  # type: ignore[attr-defined]
    path.unlink(missing_ok=True)
    output = Output(path, half=half)
    for piece in pieces:
        output.write(piece)
    output.finish()
    output.finish()
    printed = b"".join(pieces)
    assert output.exists == path.exists() == bool(printed)
    if not printed:
        return
    kept = path.read_bytes()
    if len(printed) <= 2 * half:
        assert kept == printed
    else:
        note = f"\n\n[... {len(printed) - 2 * half:,} bytes were dropped here ...]\n\n".encode()
        assert kept == printed[:half] + note + printed[-half:]
    assert output.ending.endswith(printed[-5:].decode(errors="replace")[-1:])


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    output = Output(tmp_path / "nowhere" / "output.txt")
    output.write(b"lost")
    output.finish()
    assert not output.exists
    assert "could not be kept" in output.problem
    assert output.ending == "lost"
