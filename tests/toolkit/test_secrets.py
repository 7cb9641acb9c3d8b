"""Secrets: read from where they are kept, and shown to nobody."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import os
import pickle
from pathlib import Path

import pydantic
import pytest
import structlog
import yaml

from toolkit.secrets import Secret, SecretError
from toolkit.settings import ConfigError, Settings, load, parse

VALUE = "hunter2-hunter2"


class Door(Settings):
    """A map with one secret."""

    code: Secret


@dataclasses.dataclass(frozen=True, kw_only=True)
class Room:
    """A record with a secret."""

    code: Secret


def secret() -> Secret:
    """Make a secret that holds VALUE."""
    return Secret.from_environ("CODE", {"CODE": VALUE})


def test_shown_nowhere() -> None:
    """No common way of writing a value shows it."""
    door = Door(code=secret())
    shown = [
        repr(secret()),
        str(secret()),
        f"{secret()}",
        f"{secret():>20}",
        f"{secret()!r:}",
        "%s %r" % (secret(), [secret()]),  # noqa: UP031 - an old way that must not show it
        repr(door),
        str(door),
        repr(door.model_dump()),
        repr(door.model_dump(mode="json")),
        door.model_dump_json(),
        yaml.safe_dump(door.model_dump(mode="json")),
        json.dumps({"code": secret()}, default=str),
        repr(Room(code=secret())),
        repr(dataclasses.asdict(Room(code=secret()))),
        repr(dir(secret())),
    ]
    assert not [text for text in shown if VALUE in text]
    assert repr(secret()) == "<secret>"
    assert door.model_dump_json() == '{"code":"<secret>"}'


def test_shown_in_no_log() -> None:
    """A log line that is given a secret shows none."""
    out = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.JSONRenderer(default=str)],
    )
    log.info("opened", code=secret(), door=Door(code=secret()))
    assert "<secret>" in out.getvalue()
    assert VALUE not in out.getvalue()


def test_never_pickled() -> None:
    """A secret stays in its process, and a copy is the same object."""
    one = secret()
    with pytest.raises(TypeError, match="never serialised"):
        pickle.dumps(one)
    assert copy.copy(one) is copy.deepcopy(one) is one


def test_environ() -> None:
    """A variable is taken from the environment that is handed over, at once."""
    environ = {"CODE": VALUE}
    code = parse("code: {env: CODE}", "door.yml", Door, environ=environ).code
    environ.clear()
    assert code.reveal() == VALUE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{env: CODE}", "variable CODE: not set; set the variable"),
        ("{env: EMPTY}", "variable EMPTY: empty; set the variable"),
        ("{env: BLANK}", "variable BLANK: empty; set the variable"),
        ("{env: 3}", "the place of a secret is not text; write {env: NAME} or {file: path}"),
        ("{env: }", "the place of a secret is not text; write {env: NAME} or {file: path}"),
        ("{env: A, file: b}", "not the place of a secret; write {env: NAME} or {file: path}"),
        ("{}", "not the place of a secret; write {env: NAME} or {file: path}"),
        ("{enf: A}", "not the place of a secret; write {env: NAME} or {file: path}"),
        (VALUE, "a secret is never written out; write {env: NAME} or {file: path}"),
        ("", "a secret is never written out; write {env: NAME} or {file: path}"),
    ],
)
def test_refused(text: str, words: str) -> None:
    """What does not lead to a secret is a problem when the file is loaded."""
    with pytest.raises(ConfigError) as caught:
        parse(f"code: {text}", "door.yml", Door, environ={"EMPTY": "", "BLANK": " \n"})
    assert str(caught.value) == f"door.yml:1: code: {words}"


def test_file(tmp_path: Path) -> None:
    """A file counts from the configuration's folder and loses its last line end."""
    (tmp_path / "code").write_text(f"{VALUE}\n")
    (tmp_path / "door.yml").write_text("code: {file: code}")
    assert load(tmp_path / "door.yml", Door, environ={}).code.reveal() == VALUE


def test_file_changes(tmp_path: Path) -> None:
    """A changed file is read again, also when it is replaced by a rename."""
    path = tmp_path / "code"
    path.write_text("first")
    code = Secret.from_file(path)
    assert code.reveal() == "first"
    path.write_text("second, longer\r\n")
    assert code.reveal() == "second, longer"
    (tmp_path / "new").write_text("third, renamed")
    (tmp_path / "new").rename(path)
    assert code.reveal() == "third, renamed"


def test_file_unchanged_is_not_read(tmp_path: Path) -> None:
    """A file that looks the same is not read again."""
    path = tmp_path / "code"
    path.write_text("first")
    code = Secret.from_file(path)
    seen = path.stat()
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert code.reveal() == "first"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty; write the secret into it"),
        (b"\n", "empty; write the secret into it"),
        (b"\xff", "not UTF-8; check the file"),
        (b"x" * 70_000, "too large for a secret; check the path"),
        (None, "cannot be read (No such file or directory); make the file readable"),
    ],
    ids=["empty", "only a line end", "binary", "large", "missing"],
)
def test_bad_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that holds no secret is refused when loaded, and when it becomes so later."""
    path = tmp_path / "code"
    path.write_text(VALUE)
    code = Secret.from_file(path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretError) as revealed:
        code.reveal()
    assert str(revealed.value) == f"file {path}: {words}"
    with pytest.raises(ConfigError) as loaded:
        parse(f"code: {{file: {path}}}", "door.yml", Door, environ={})
    assert str(loaded.value) == f"door.yml:1: code: file {path}: {words}"


def test_heals(tmp_path: Path) -> None:
    """A file that was away and is back serves again."""
    path = tmp_path / "code"
    path.write_text("first")
    code = Secret.from_file(path)
    path.unlink()
    with pytest.raises(SecretError):
        code.reveal()
    path.write_text("second")
    assert code.reveal() == "second"


def test_equality() -> None:
    """Two secrets of one place and value are equal, so that a reload sees what changed."""
    other = Secret.from_environ("CODE", {"CODE": "other"})
    assert secret() == secret()
    assert hash(secret()) == hash(secret())
    assert secret() != other
    assert secret() != VALUE


def test_schema() -> None:
    """The JSON Schema shows the two forms and no default."""
    schema = pydantic.TypeAdapter(Secret).json_schema()
    assert [next(iter(form["properties"])) for form in schema["oneOf"]] == ["env", "file"]
