"""A small configuration with every shape of settings, for the tests of settings and plug-ins."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field, field_validator

from toolkit.plugins import Registry
from toolkit.secrets import Secret
from toolkit.settings import ConfigPath, Duration, Settings


class Test(Protocol):
    """What a cake must pass."""


class Oven(Protocol):
    """What bakes."""


tests: Registry[Test] = Registry("test")
ovens: Registry[Oven] = Registry("oven")
AnyTest = Annotated[Test, tests.single_key()]
AnyOven = Annotated[Oven, ovens.by_kind()]


@tests.register("smell")
class Smell(Settings):
    """Compares a smell."""

    of: str
    strength_ratio: float = 0.5


@tests.register("within")
class Within(Settings):
    """Bounds a time."""

    limit: Duration


@tests.register("present")
class Present(Settings):
    """Wants the cake to be there."""


class Lock(Settings):
    """Guards an oven."""

    code: Secret
    words: tuple[str, Secret] | None = None


@ovens.register("gas")
class Gas(Settings):
    """Bakes with a flame."""

    url: str
    lock: Lock | None = None
    trials: tuple[AnyTest, ...] = ()

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if "://" not in value:
            raise ValueError("not a URL; write it like http://name:port")
        return value


@ovens.register("electric")
class Electric(Settings):
    """Bakes with a coil."""

    kilowatts: float = Field(default=2.0, gt=0)
    manual: ConfigPath | None = None


class Cake(Settings):
    """One thing to bake."""

    name: str
    bake: Annotated[Duration, Field(gt=0)] = 30
    layers: int = 1
    iced: bool = False
    size: Literal["small", "large"] = "small"
    oven: AnyOven


class Shop(Settings):
    """The whole file."""

    cakes: tuple[Cake, ...] = ()
    labels: dict[str, str] = {}  # noqa: RUF012 - pydantic copies a default
    door: int | Lock = 1
