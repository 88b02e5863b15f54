"""Commands reach the study whole, once and in order; everything else is moved aside."""

import json
import subprocess
import sys

import pytest

from octavo.errors import StorageError, StudyError
from octavo.storage import Command, Inbox, send


def test_commands_arrive_once_and_in_the_order_of_sending(tmp_path):
    sent = [
        Command("pause", who="me"),
        Command("queue", {"config": {"rate": 0.1}, "fidelity": 3}, "dashboard"),
        Command("resume", {"reason": "lunch is over"}, "me"),
        Command("stop"),
    ]
    for command in sent:
        send(tmp_path, command)
    inbox = Inbox(tmp_path)
    found = inbox.poll()
    assert [(c.kind, c.data, c.who) for c in found] == [(c.kind, c.data, c.who) for c in sent]
    assert sorted(c.at for c in found) == [c.at for c in found] and found[0].at > 1e9
    assert inbox.poll() == []
    assert list((tmp_path / "inbox").iterdir()) == []


def test_no_inbox_is_an_empty_inbox(tmp_path):
    assert Inbox(tmp_path / "nothing").poll() == []
    with pytest.raises(StorageError, match=f"no study in {tmp_path}/nothing"):
        send(tmp_path / "nothing", Command("stop"))


SENDER = """
import sys
from octavo.storage import Command, send
for number in range(50):
    send(sys.argv[1], Command("pause", {"reason": str(number)}, sys.argv[2]))
"""


def test_many_senders_at_once_lose_nothing(tmp_path):
    names = ["a", "b", "c"]
    senders = [
        subprocess.Popen([sys.executable, "-c", SENDER, str(tmp_path), name]) for name in names
    ]
    found = []
    inbox = Inbox(tmp_path)
    while any(sender.poll() is None for sender in senders):
        found += inbox.poll()
    found += inbox.poll()
    for who in names:
        ours = [int(c.data["reason"]) for c in found if c.who == who]
        assert ours == list(range(50))
    assert not (tmp_path / "inbox" / "rejected").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[1, 2]", "a command is a JSON object"),
        (b"{}", "the first is needed"),
        (b'{"kind": "stop", "now": true}', "got ['kind', 'now']"),
        (b'{"kind": "explode"}', "no command 'explode'"),
        (b'{"kind": ["stop"]}', "no command ['stop']"),
        (b'{"kind": "stopp"}', "Did you mean 'stop'?"),
        (b'{"kind": "stop", "data": [1]}', "must be a JSON object, got [1]"),
        (b'{"kind": "stop", "who": ""}', "who=''"),
        (b'{"kind": "stop", "at": "noon"}', "got 'noon'"),
        (b'{"kind": "queue"}', "needs a configuration, got None"),
        (b'{"kind": "queue", "data": {"config": 3}}', "needs a configuration, got 3"),
        (b'{"kind": "stop", "data": {"config": {}}}', "has no 'config' in its data"),
        (b"[" * 100_000, "recursion"),
        (b'"' + b"x" * (1 << 20) + b'"', "1048578 bytes"),
    ],
    ids=str,
)
def test_a_malformed_command_is_moved_aside_with_its_reason(tmp_path, content, reason, caplog):
    send(tmp_path, Command("pause"))
    (tmp_path / "inbox" / "0.json").write_bytes(content)
    send(tmp_path, Command("stop"))
    inbox = Inbox(tmp_path)
    assert [command.kind for command in inbox.poll()] == ["pause", "stop"]
    rejected = tmp_path / "inbox" / "rejected"
    assert (rejected / "0.json").read_bytes() == content
    assert reason in (rejected / "0.reason.txt").read_text()
    assert reason in caplog.text
    assert inbox.poll() == []


def test_a_folder_in_the_inbox_is_moved_aside(tmp_path):
    (tmp_path / "inbox" / "a.json").mkdir(parents=True)
    assert Inbox(tmp_path).poll() == []
    assert (tmp_path / "inbox" / "rejected" / "a.json").is_dir()


def test_half_written_commands_are_left_alone(tmp_path):
    (tmp_path / "inbox").mkdir()
    hidden = tmp_path / "inbox" / ".00001.json"
    hidden.write_text('{"kind": "st')
    assert Inbox(tmp_path).poll() == []
    assert hidden.exists()


def test_commands_written_by_hand_are_taken(tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "please.json").write_text(json.dumps({"kind": "pause"}))
    assert Inbox(tmp_path).poll() == [Command("pause", {}, "user", 0.0)]


def test_a_command_that_means_nothing_is_refused_where_it_is_made(tmp_path):
    with pytest.raises(StudyError, match=r"no command 'halt'.*'stop' \(end the study"):
        Command("halt")
    with pytest.raises(StudyError, match="cannot be written as JSON"):
        send(tmp_path, Command("queue", {"config": {"model": object()}}))
