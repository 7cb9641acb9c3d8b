"""Settings: what is read, and the exact words with which everything else is refused."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pydantic
import pytest

from tests.toolkit.shop import Cake, Electric, Gas, Shop
from toolkit.settings import ConfigError, Problem, load, nearest, parse, seconds

SECRET = "hunter2-hunter2"

REFUSED = {
    "empty": ("", "1: the file is empty; write the settings as `key: value` lines"),
    "only a comment": ("# x", "1: the file is empty; write the settings as `key: value` lines"),
    "a list": ("- a", "1: the file holds a list, not a map; write it as `key: value` lines"),
    "a word": ("cakes", "1: the file holds text, not a map; write it as `key: value` lines"),
    "a number": ("3", "1: the file holds a number, not a map; write it as `key: value` lines"),
    "nothing under a key": (
        "cakes:",
        "1: cakes: an empty value is not a list; write it as `- value` lines",
    ),
    "tab as indentation": (
        "labels:\n\ta: b",
        "2: a tab is used where YAML wants spaces; indent with spaces",
    ),
    "unclosed bracket": (
        "cakes: [",
        (
            "2: not valid YAML: while parsing a flow node did not find expected node content;"
            " check quotes, colons and indentation"
        ),
    ),
    "reserved character": (
        "labels: {a: @b}",
        "1: a value starts with a reserved character; put the value in quotes",
    ),
    "two documents": (
        "labels: {}\n---\nlabels: {}",
        "2: a second document starts here; keep one document and remove the `---`",
    ),
    "control character": (
        "labels: {}\n# \x07",
        "2: a control character is in the text; remove it",
    ),
    "key set twice": (
        "door: 1\nlabels: {}\ndoor: 2",
        "3: door: set a second time (first on line 1); keep one of the two",
    ),
    "inner key set twice": (
        "labels:\n  a: x\n  a: y",
        "3: labels.a: set a second time (first on line 2); keep one of the two",
    ),
    "key that is no text": (
        "labels: {1: a}",
        "1: labels: the key '1' is not text; put the key in quotes",
    ),
    "foreign tag": (
        "labels: {a: !!python/object:os.system b}",
        "1: labels.a: the tag '!!python/object:os.system' is not allowed here; remove it",
    ),
    "undefined alias": (
        "labels: *a",
        ("1: not valid YAML: found undefined alias; check quotes, colons and indentation"),
    ),
    "alias of itself": ("labels: &a [*a]", "1: an alias holds itself; write the value out"),
    "too deep": (f"labels: {'[' * 200}", "1: nested deeper than 100 levels; flatten it"),
    "endless number": (
        f"door: {'9' * 5000}",
        "1: door: the number is too long; write fewer digits",
    ),
    "unknown key, near": ("lables: {}", "1: lables: unknown setting; did you mean 'labels'?"),
    "unknown key, far": ("zzz: {}", "1: zzz: unknown setting; known: cakes, door, labels"),
    "missing key": (
        "cakes:\n  - name: a",
        "2: cakes[0].oven: required, but not set; add it",
    ),
    "list for a map": (
        "labels: []",
        "1: labels: a list is not a map; write it as `key: value` lines",
    ),
    "text for a map": (
        "cakes: [a]",
        "1: cakes[0]: text is not a map; write it as `key: value` lines",
    ),
    "map for a list": (
        "cakes: {a: b}",
        "1: cakes: a map is not a list; write it as `- value` lines",
    ),
    "number for text": (
        "labels: {a: 1}",
        "1: labels.a: a number is not text; put the value in quotes",
    ),
    "map for text": (
        "labels: {a: {b: c}}",
        "1: labels.a: a map is not text; put the value in quotes",
    ),
}

REFUSED_CAKE = {
    "quoted number": (
        'layers: "2"',
        "layers: text is not a whole number; write it like 10, without quotes",
    ),
    "truth value for a number": (
        "layers: true",
        "layers: a truth value is not a whole number; write it like 10, without quotes",
    ),
    "fraction for a whole number": (
        "layers: 1.5",
        "layers: a number is not a whole number; write it like 10, without quotes",
    ),
    "yes for true": (
        "iced: yes",
        "iced: text is not true or false; write true or false, without quotes",
    ),
    "one for true": (
        "iced: 1",
        "iced: a number is not true or false; write true or false, without quotes",
    ),
    "choice, near": (
        "size: larg",
        "size: 'larg' is not one of small, large; did you mean 'large'?",
    ),
    "choice, far": ("size: xxx", "size: 'xxx' is not one of small, large; known: large, small"),
    "duration without a unit": ("bake: 30", "bake: 30 has no unit; write 30s for seconds"),
    "no duration": (
        "bake: 30 seconds",
        "bake: '30 seconds' is not a duration; write it like 30s, 1m30s or 500ms",
    ),
    "list for a duration": ("bake: []", "bake: not a duration; write it like 30s, 1m30s or 500ms"),
    "number too small": ("bake: 0s", "bake: input should be greater than 0"),
}


def refusal(text: str) -> str:
    """Give the words with which *text* is refused."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "shop.yml", Shop, environ={})
    return str(caught.value)


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, words: str) -> None:
    """A file with one fault is refused with one line that says where, what and what to do."""
    assert refusal(text) == f"shop.yml:{words}"


@pytest.mark.parametrize(("line", "words"), REFUSED_CAKE.values(), ids=REFUSED_CAKE)
def test_refused_in_a_list(line: str, words: str) -> None:
    """A fault inside a list is told with its index and its own line."""
    text = f"cakes:\n- name: a\n  oven: {{kind: electric}}\n  {line}\n"
    assert refusal(text) == f"shop.yml:4: cakes[0].{words}"


def test_everything_at_once() -> None:
    """All faults of a file come in one refusal, in the order of their lines."""
    text = """\
        lables: {}
        cakes:
          - name: 7
            oven: {kind: gsa}
          - name: b
            bake: 3
            oven:
              kind: gas
              url: nowhere
              lock: {code: {env: UNSET}}
              trials:
                - smell: {off: rum}
        door: 1
        door: 2
    """
    assert refusal(textwrap.dedent(text)).splitlines() == [
        "shop.yml:1: lables: unknown setting; did you mean 'labels'?",
        "shop.yml:3: cakes[0].name: a number is not text; put the value in quotes",
        "shop.yml:4: cakes[0].oven.kind: unknown oven 'gsa'; did you mean 'gas'?",
        "shop.yml:6: cakes[1].bake: 3 has no unit; write 3s for seconds",
        "shop.yml:9: cakes[1].oven.url: not a URL; write it like http://name:port",
        "shop.yml:10: cakes[1].oven.lock.code: variable UNSET: not set; set the variable",
        "shop.yml:12: cakes[1].oven.trials[0].smell.of: required, but not set; add it",
        "shop.yml:12: cakes[1].oven.trials[0].smell.off: unknown setting; did you mean 'of'?",
        "shop.yml:14: door: set a second time (first on line 13); keep one of the two",
    ]


def test_union() -> None:
    """A fault in a union is told at the setting, without the options' names."""
    lines = refusal("door: {kode: 1}").splitlines()
    assert "shop.yml:1: door.kode: unknown setting; did you mean 'code'?" in lines
    assert "shop.yml:1: door.code: required, but not set; add it" in lines


def test_billion_laughs() -> None:
    """Aliases that multiply are refused before they are written out."""
    text = "a0: &a0 [x, x]\n"
    for level in range(1, 40):
        text += f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]\n"
    assert refusal(text) == "shop.yml:1: aliases add more than 100000 values; write the values out"


def test_deep_aliases() -> None:
    """Aliases that nest are refused before they exhaust the stack."""
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300))
    assert refusal(text) == "shop.yml:1: aliases nest deeper than 100 levels; flatten it"


def test_honest_aliases() -> None:
    """Anchors and merge keys work, and the own key wins over a merged one."""
    text = """\
        labels: {team: &team search}
        cakes:
          - &first {name: a, bake: 1m30s, oven: {kind: electric}}
          - {<<: *first, name: *team}
          - {<<: [{layers: 3}, *first], bake: 2s}
    """
    shop = parse(textwrap.dedent(text), "shop.yml", Shop, environ={})
    assert [cake.name for cake in shop.cakes] == ["a", "search", "a"]
    assert [cake.bake for cake in shop.cakes] == [90, 90, 2]
    assert shop.cakes[2].layers == 3


def test_core_schema() -> None:
    """What YAML 1.1 would turn into truth values, dates and sums of sixties stays text."""
    text = "labels: {a: no, b: on, c: 2024-01-01, d: 12:30, e: 0123, f: 1e, g: 'yes', h: 1_000}"
    shop = parse(text, "shop.yml", Shop, environ={})
    assert list(shop.labels.values()) == [
        "no", "on", "2024-01-01", "12:30", "0123", "1e", "yes", "1_000",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "number"), [("0x10", 16), ("0o17", 15), ("+3", 3), ("-0", 0)])
def test_whole_numbers(text: str, number: int) -> None:
    """Whole numbers are read as YAML 1.2 writes them."""
    assert parse(f"door: {text}", "shop.yml", Shop, environ={}).door == number


@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", "1e999"])
def test_no_infinite_numbers(text: str) -> None:
    """A number that is none, or has no end, is refused."""
    words = refusal(f"cakes:\n- name: a\n  oven: {{kind: electric, kilowatts: {text}}}")
    assert words == "shop.yml:3: cakes[0].oven.kilowatts: input should be a finite number"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("30s", 30), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("1w2d", 777600)],
)
def test_durations(text: str, expected: float) -> None:
    """Prometheus' durations are read as seconds."""
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "s", "30", "1.5s", "-1s", "1s1m", "1 s", "٣s", "9" * 60 + "s"]
)
def test_no_durations(text: str) -> None:
    """What Prometheus would not read as a duration is refused."""
    with pytest.raises(ValueError, match="is not a duration; write it like 30s"):
        seconds(text)


def test_made_in_code() -> None:
    """Code may give plain seconds, whose unit its own names carry."""
    cake = Cake(name="a", bake=1.5, oven=Electric())
    assert cake.bake == 1.5
    with pytest.raises(pydantic.ValidationError, match="did you mean 'layers'"):
        Cake.model_validate({"name": "a", "layer": 1, "oven": Electric()})


def test_frozen() -> None:
    """Settings cannot be changed after they were read."""
    shop = parse("door: 2", "shop.yml", Shop, environ={})
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        shop.door = 3  # type: ignore[misc] # it must not work


def test_literal_secret_stays_unseen() -> None:
    """A secret written where its place belongs is refused, and not repeated."""
    for code in (SECRET, f"{{env: {{x: {SECRET}}}}}", f"[{SECRET}]", f"{{value: {SECRET}}}"):
        text = (
            f"cakes:\n- name: a\n  oven:\n    kind: gas\n    url: http://x\n"
            f"    lock:\n      code: {code}\n      words: [u, {SECRET}]\n"
        )
        words = refusal(text)
        assert "shop.yml:7: cakes[0].oven.lock.code: " in words
        assert "shop.yml:8: cakes[0].oven.lock.words[1]: " in words
        assert SECRET not in words


def test_secret_stays_out_of_validation_errors() -> None:
    """Neither does pydantic's own error show it."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Gas.model_validate({"url": "x", "lock": {"code": SECRET}})
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)


def test_load(tmp_path: Path) -> None:
    """A file is read with its own name in problems, and relative paths count from its folder."""
    path = tmp_path / "shop.yml"
    path.write_text("cakes: [{name: a, oven: {kind: electric, manual: man.txt}}]", "utf-8")
    oven = load(path, Shop, environ={}).cakes[0].oven
    assert isinstance(oven, Electric)
    assert oven.manual == tmp_path / "man.txt"
    path.write_text("lables: {}", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, Shop, environ={})
    assert caught.value.problems == (
        Problem(
            place=f"{path}:1",
            path="lables",
            problem="unknown setting",
            remedy="did you mean 'labels'?",
        ),
    )


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark, which editors of other systems write, does no harm."""
    path = tmp_path / "shop.yml"
    path.write_bytes(b"\xef\xbb\xbfdoor: 2\r\n")
    assert load(path, Shop, environ={}).door == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"door: 1\nlabels: {a: \xff}\n", ":2: not UTF-8; save it as UTF-8"),
        (b"d\0o\0o\0r\0", ":1: a control character is in the text; remove it"),
        (b"#" * (16 * 1024 * 1024 + 1), ": larger than 16 MiB; split it"),
    ],
    ids=["latin", "utf-16", "huge"],
)
def test_unreadable_content(tmp_path: Path, content: bytes, words: str) -> None:
    """A file that is no text, or far too large, is refused."""
    path = tmp_path / "shop.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, Shop, environ={})
    assert str(caught.value) == f"{path}{words}"


def test_no_file(tmp_path: Path) -> None:
    """A missing file, a folder and a forbidden file are problems like any other."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.yml", Shop, environ={})
    assert str(caught.value) == f"{tmp_path / 'none.yml'}: no such file; check the path"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, Shop, environ={})
    words = "cannot be read (Is a directory); check path and mode"
    assert str(caught.value) == f"{tmp_path}: {words}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path: Path) -> None:
    """A file without read permission is a problem like any other."""
    path = tmp_path / "shop.yml"
    path.touch(mode=0o000)
    with pytest.raises(ConfigError, match="cannot be read \\(Permission denied\\)"):
        load(path, Shop, environ={})


def test_problem_without_parts() -> None:
    """A problem without place, path or remedy reads well."""
    assert str(Problem(place="", path="", problem="broken")) == "broken"
    assert str(Problem(place="a:1", path="", problem="b", remedy="c")) == "a:1: b; c"


def test_nearest() -> None:
    """The remedy names the nearest word, else all, else tells to remove."""
    assert nearest("intervall", ["interval", "timeout"]) == "did you mean 'interval'?"
    assert nearest("x", ["interval", "timeout"]) == "known: interval, timeout"
    assert nearest("x", []) == "remove it"
