"""Registries of plug-ins: one settings model per kind, and the two ways YAML names a kind."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import pydantic
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from toolkit.settings import Settings, fault, kept, nearest, renamed

P = TypeVar("P")
S = TypeVar("S", bound=Settings)


class Registry(Generic[P]):
    """The plug-ins of one contract, by kind; *noun* names the contract in errors."""

    def __init__(self, noun: str) -> None:
        """Start empty; modules register their plug-in when they are imported."""
        self.noun = noun
        self._models: dict[str, type[Any]] = {}

    def register(self, kind: str) -> Callable[[type[S]], type[S]]:
        """Enter the decorated model under *kind*; ValueError when the kind is taken."""

        def enter(model: type[S]) -> type[S]:
            known = self._models.setdefault(kind, model)
            if known is not model:
                taken = f"{known.__module__}.{known.__qualname__}"
                raise ValueError(f"{self.noun} {kind!r}: already {taken}; choose another kind")
            return model

        return enter

    def kinds(self) -> tuple[str, ...]:
        """Give every kind, sorted."""
        return tuple(sorted(self._models))

    def get(self, kind: str) -> type[P]:
        """Give the model of *kind*; LookupError names the nearest kind."""
        if kind not in self._models:
            raise LookupError(f"unknown {self.noun} {kind!r}; {nearest(kind, self._models)}")
        model: type[P] = self._models[kind]
        return model

    def items(self) -> Iterator[tuple[str, type[P]]]:
        """Give every kind with its model, sorted by kind."""
        for kind in self.kinds():
            yield kind, self.get(kind)

    def kind_of(self, plugin: object) -> str:
        """Give the kind that *plugin*'s class is registered under; LookupError when none."""
        for kind, model in self._models.items():
            if type(plugin) is model:
                return kind
        raise LookupError(f"{type(plugin).__qualname__} is no registered {self.noun}")

    def by_kind(self, key: str = "kind") -> Any:
        """Make the field type of `{kind: x, ...settings}` maps.

        Give it a name of its own, as metadata, so that type checkers see the contract:
        `AnyProbe = Annotated[Probe, probes.by_kind()]`.
        """
        return _ByKind(self, key)

    def single_key(self) -> Any:
        """Make the field type of one-key maps `{regex: value}`.

        A value that is no map is the model's first required field. Give it a name of its own:
        `AnyCheck = Annotated[Check, checks.single_key()]`.
        """
        return _SingleKey(self)

    def unknown(self, kind: object) -> Exception:
        """Make the error of a kind that is not registered."""
        if not isinstance(kind, str):
            return fault(f"the {self.noun} kind is not text", f"known: {', '.join(self.kinds())}")
        return fault(f"unknown {self.noun} {kind[:40]!r}", nearest(kind, self._models))

    def model(self, kind: str) -> type[Settings] | None:
        """Give the settings model of *kind*, None when there is none."""
        return self._models.get(kind)


class _ByKind:
    """The pydantic side of `{kind: x, ...settings}`; kinds are looked up when a file is read."""

    def __init__(self, registry: Registry[Any], key: str) -> None:
        self._registry = registry
        self._key = key

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validated,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self._written, info_arg=True
            ),
            metadata={"pydantic_js_functions": [self._json_schema]},
        )

    def _validated(self, value: Any, info: ValidationInfo) -> Any:
        if _is_plugin(value, self._registry):
            return value
        if not isinstance(value, Mapping):
            raise fault(f"not a map of a {self._registry.noun}", f"write `{self._key}: ...` in it")
        if self._key not in value:
            known = ", ".join(self._registry.kinds())
            raise fault(f"no {self._key} is set", f"add `{self._key}:`, one of {known}")
        kind = value[self._key]
        model = self._registry.model(kind) if isinstance(kind, str) else None
        if model is None:
            raise _at(self._key, self._registry.unknown(kind))
        own = self._key in model.model_fields
        fields = {name: each for name, each in value.items() if own or name != self._key}
        return model.model_validate(fields, context=info.context)

    def _written(self, value: Any, info: pydantic.SerializationInfo) -> dict[str, Any]:
        return {self._key: self._registry.kind_of(value), **_dumped(value, info)}

    def _json_schema(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        options = []
        for kind, model in self._registry.items():
            schema = _object_schema(model, handler)
            properties = {self._key: {"const": kind}, **schema.get("properties", {})}
            required = [self._key, *schema.get("required", [])]
            options.append({**schema, "properties": properties, "required": required})
        return {"oneOf": options}


class _SingleKey:
    """The pydantic side of `{kind: value}`; kinds are looked up when a file is read."""

    def __init__(self, registry: Registry[Any]) -> None:
        self._registry = registry

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validated,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self._written, info_arg=True
            ),
            metadata={"pydantic_js_functions": [self._json_schema]},
        )

    def _validated(self, value: Any, info: ValidationInfo) -> Any:
        if _is_plugin(value, self._registry):
            return value
        if not isinstance(value, Mapping) or len(value) != 1:
            noun, known = self._registry.noun, ", ".join(self._registry.kinds())
            raise fault(f"not a map of one {noun}", f"write `<{noun}>: value`, with one of {known}")
        kind, given = next(iter(value.items()))
        model = self._registry.model(kind) if isinstance(kind, str) else None
        if model is None:
            raise _at(str(kind), self._registry.unknown(kind))
        implied = None if isinstance(given, Mapping) or given is None else _first_field(model)
        fields = {implied: given} if implied else (given or {})
        if not isinstance(fields, Mapping):
            raise _at(kind, fault("takes no value", f"write `{kind}: {{}}`"))
        try:
            return model.model_validate(fields, context=info.context)
        except pydantic.ValidationError as error:
            raise _under(kind, implied, error) from None

    def _written(self, value: Any, info: pydantic.SerializationInfo) -> dict[str, Any]:
        return {self._registry.kind_of(value): _dumped(value, info)}

    def _json_schema(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        options = []
        for kind, model in self._registry.items():
            schema = _object_schema(model, handler)
            implied = _first_field(self._registry.model(kind))
            short = [schema.get("properties", {})[implied]] if implied else []
            options.append(
                {
                    "type": "object",
                    "properties": {kind: {"anyOf": [schema, *short]}},
                    "required": [kind],
                    "additionalProperties": False,
                }
            )
        return {"oneOf": options}


def _is_plugin(value: object, registry: Registry[Any]) -> bool:
    return any(type(value) is model for _, model in registry.items())


def _first_field(model: type[Settings] | None) -> str | None:
    fields = model.model_fields if model else {}
    required = [field.alias or name for name, field in fields.items() if field.is_required()]
    every = [field.alias or name for name, field in fields.items()]
    return next(iter(required or every), None)


def _at(key: str, error: Exception) -> pydantic.ValidationError:
    detail: Any = {"type": error, "loc": (key,), "input": None}
    return pydantic.ValidationError.from_exception_data("plug-in", [detail], hide_input=True)


def _under(
    kind: str, implied: str | None, error: pydantic.ValidationError
) -> pydantic.ValidationError:
    """Put the kind before each path; leave out the field that the short form did not write."""

    def moved(details: Any) -> Any:
        place = details["loc"]
        short = place[1:] if implied and place[:1] == (implied,) else place
        return {**kept(details), "loc": (kind, *short)}

    return renamed(error, moved)


def _dumped(value: Any, info: pydantic.SerializationInfo) -> dict[str, Any]:
    dumped: dict[str, Any] = value.model_dump(mode=info.mode, exclude_unset=info.exclude_unset)
    return dumped


def _object_schema(model: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
    schema = handler(model.__pydantic_core_schema__)
    return dict(handler.resolve_ref_schema(schema))


def import_siblings(package_name: str, package_path: Iterable[str]) -> None:
    """Import every module of a package, so that its plug-ins register themselves.

    For a folder's `__init__`: `import_siblings(__name__, __path__)`.
    """
    for module in pkgutil.iter_modules(package_path):
        importlib.import_module(f"{package_name}.{module.name}")
