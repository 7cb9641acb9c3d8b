"""Plug-ins: registries, and the two ways a file names a kind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.toolkit.shop import Electric, Gas, Present, Shop, Smell, Within, ovens, tests
from toolkit.plugins import Registry, import_siblings
from toolkit.secrets import Secret
from toolkit.settings import ConfigError, Settings, parse


def gas(trials: str) -> Gas:
    """Read a gas oven with *trials*."""
    text = f"cakes:\n- name: a\n  oven:\n    kind: gas\n    url: http://x\n    trials: {trials}\n"
    oven = parse(text, "shop.yml", Shop, environ={}).cakes[0].oven
    assert isinstance(oven, Gas)
    return oven


def refusal(trials: str) -> str:
    """Give the words with which *trials* are refused, without their place."""
    with pytest.raises(ConfigError) as caught:
        gas(trials)
    place = "shop.yml:6: cakes[0].oven.trials"
    assert str(caught.value).startswith(place)
    return str(caught.value).removeprefix(place)


def test_registry() -> None:
    """A registry knows its kinds, their models, and the kind of an instance."""
    assert ovens.kinds() == ("electric", "gas")
    assert dict(ovens.items()) == {"electric": Electric, "gas": Gas}
    assert ovens.get("gas") is Gas
    assert ovens.kind_of(Electric()) == "electric"


def test_unknown_kind() -> None:
    """An unknown kind is refused with the nearest one; so is a stranger's instance."""
    with pytest.raises(LookupError, match="unknown oven 'gaz'; did you mean 'gas'"):
        ovens.get("gaz")
    with pytest.raises(LookupError, match="Smell is no registered oven"):
        ovens.kind_of(Smell(of="rum"))


def test_kind_taken() -> None:
    """A kind has one model, which may be registered again."""
    registry: Registry[object] = Registry("thing")

    @registry.register("a")
    class First(Settings):
        """The first."""

    class Second(Settings):
        """The second."""

    assert registry.register("a")(First) is First
    with pytest.raises(ValueError, match=r"thing 'a': already .*First; choose another kind"):
        registry.register("a")(Second)


def test_single_key_forms() -> None:
    """A one-key map takes the first required field's value, or a map of all fields."""
    trials = "[{smell: rum}, {smell: {of: rum, strength_ratio: 1}}, {within: 2s}, {present: }]"
    assert gas(trials).trials == (
        Smell(of="rum"),
        Smell(of="rum", strength_ratio=1),
        Within(limit=2),
        Present(),
    )


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ("[{smel: rum}]", "[0].smel: unknown test 'smel'; did you mean 'smell'?"),
        ("[{smell: 3}]", "[0].smell: a number is not text; put the value in quotes"),
        ("[{smell: }]", "[0].smell.of: required, but not set; add it"),
        ("[{within: 2}]", "[0].within: 2 has no unit; write 2s for seconds"),
        (
            "[{within: {limt: 2s, limit: 1s}}]",
            "[0].within.limt: unknown setting; did you mean 'limit'?",
        ),
        ("[{present: 3}]", "[0].present: takes no value; write `present: {}`"),
        (
            "[present]",
            "[0]: not a map of one test; write `<test>: value`, with one of present, smell, within",
        ),
        (
            "[{smell: a, within: 1s}]",
            "[0]: not a map of one test; write `<test>: value`, with one of present, smell, within",
        ),
    ],
)
def test_single_key_refused(trials: str, words: str) -> None:
    """A fault in a one-key map is told at its kind, or at the field where one was written."""
    assert refusal(trials) == words


@pytest.mark.parametrize(
    ("oven", "words"),
    [
        ("{kind: gaz}", "oven.kind: unknown oven 'gaz'; did you mean 'gas'?"),
        ("{kind: 3}", "oven.kind: the oven kind is not text; known: electric, gas"),
        ("{url: http://x}", "oven: no kind is set; add `kind:`, one of electric, gas"),
        ("gas", "oven: not a map of a oven; write `kind: ...` in it"),
        ("{kind: gas}", "oven.url: required, but not set; add it"),
        ("{kind: electric, url: x}", "oven.url: unknown setting; known: kilowatts, manual"),
    ],
)
def test_by_kind_refused(oven: str, words: str) -> None:
    """A fault in a plug-in's map is told at its own path."""
    with pytest.raises(ConfigError) as caught:
        parse(f"cakes:\n- name: a\n  oven: {oven}\n", "shop.yml", Shop, environ={})
    assert str(caught.value) == f"shop.yml:3: cakes[0].{words}"


def test_written_as_read() -> None:
    """A dump names the kinds as the file did, and shows no secret."""
    text = (
        "cakes: [{name: a, oven: {kind: gas, url: http://x, lock: {code: {env: CODE}},"
        " trials: [smell: rum]}}]"
    )
    shop = parse(text, "shop.yml", Shop, environ={"CODE": "hunter2"})
    dumped = shop.model_dump(mode="json", exclude_unset=True)
    assert dumped["cakes"][0]["oven"] == {
        "kind": "gas",
        "url": "http://x",
        "lock": {"code": "<secret>"},
        "trials": [{"smell": {"of": "rum"}}],
    }
    assert "hunter2" not in shop.model_dump_json() + repr(shop)


def test_schema_for_editors() -> None:
    """The JSON Schema of a file offers every kind in its own form."""
    schema = Shop.model_json_schema()
    kinds = [each["properties"]["kind"]["const"] for each in _options(schema, "oven")]
    assert kinds == list(ovens.kinds())
    trials = schema["$defs"]["Cake"]["properties"]["oven"]["oneOf"][1]["properties"]["trials"]
    keys = [next(iter(each["properties"])) for each in trials["items"]["oneOf"]]
    assert keys == list(tests.kinds())


def _options(
    schema: dict[str, dict[str, dict[str, dict[str, object]]]], field: str
) -> list[dict[str, dict[str, dict[str, str]]]]:
    options = schema["$defs"]["Cake"]["properties"][field]["oneOf"]  # type: ignore[index] # JSON
    assert isinstance(options, list)
    return options


def test_secret_of_a_plug_in() -> None:
    """A plug-in's secret takes its variable from the environment that was handed over."""
    text = "cakes: [{name: a, oven: {kind: gas, url: http://x, lock: {code: {env: CODE}}}}]"
    oven = parse(text, "shop.yml", Shop, environ={"CODE": "hunter2"}).cakes[0].oven
    assert isinstance(oven, Gas)
    assert oven.lock is not None
    assert isinstance(oven.lock.code, Secret)
    assert oven.lock.code.reveal() == "hunter2"


def test_import_siblings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every module beside a folder's `__init__` is imported, so that it registers itself."""
    folder = tmp_path / "bakery_of_the_test"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from toolkit.plugins import import_siblings\nimport_siblings(__name__, __path__)\n"
    )
    (folder / "one.py").write_text("")
    (folder / "two.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import_siblings("bakery_of_the_test", [str(folder)])
    for name in ("", ".one", ".two"):
        assert sys.modules.pop(f"bakery_of_the_test{name}")
