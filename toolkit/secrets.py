"""Secrets from a variable or a file, which show themselves to nobody but `reveal()`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from toolkit.settings import fault

_SHOWN = "<secret>"
_LARGEST_BYTES = 64 * 1024
_FORMS = "{env: NAME} or {file: path}"


class SecretError(Exception):
    """A secret cannot be read; the text names its place and a remedy, never its value."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        """Keep the parts; `str()` gives `place: problem; remedy`."""
        super().__init__(f"{place}: {problem}; {remedy}")
        self.place = place
        self.problem = problem
        self.remedy = remedy


class Secret:
    """A password or token; in YAML `{env: NAME}` or `{file: path}`, printed `<secret>`."""

    __slots__ = ("_path", "_place", "_seen", "_value")

    _path: Path | None
    _place: str
    _seen: tuple[int, int, int] | None
    _value: str

    def __init__(self, *, place: str, value: str = "", path: Path | None = None) -> None:
        """Keep what `from_environ` and `from_file` found; *path* is read when revealed."""
        self._place = place
        self._path = path
        self._seen = None
        self._value = value

    @classmethod
    def from_environ(cls, name: str, environ: Mapping[str, str]) -> Self:
        """Take the variable *name* from *environ*; SecretError when it is unset or empty."""
        place = f"variable {name}"
        return cls(place=place, value=_checked(environ.get(name), place, "set the variable"))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read *path*, without its last line end; SecretError when unreadable or empty."""
        secret = cls(place=f"file {path}", path=path)
        secret.reveal()
        return secret

    def reveal(self) -> str:
        """Give the value; a file is read again when it has changed. Raises SecretError."""
        if self._path is not None:
            self._reread(self._path)
        return self._value

    def _reread(self, path: Path) -> None:
        try:
            found = path.stat()
            now = (found.st_mtime_ns, found.st_size, found.st_ino)
            if now == self._seen:
                return
            with path.open("rb") as file:
                raw = file.read(_LARGEST_BYTES + 1)
        except OSError as error:
            remedy = "make the file readable"
            raise SecretError(self._place, f"cannot be read ({error.strerror})", remedy) from None
        if len(raw) > _LARGEST_BYTES:
            raise SecretError(self._place, "too large for a secret", "check the path")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise SecretError(self._place, "not UTF-8", "check the file") from None
        self._value = _checked(text.rstrip("\r\n"), self._place, "write the secret into it")
        self._seen = now

    def __repr__(self) -> str:
        """Show nothing of the value."""
        return _SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Show nothing of the value, whatever the format."""
        return format(_SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        """Tell whether both come from the same place and held the same when last read."""
        if not isinstance(other, Secret):
            return NotImplemented
        return (self._place, self._value) == (other._place, other._value)

    def __hash__(self) -> int:
        """Go by the place, which never changes."""
        return hash(self._place)

    def __copy__(self) -> Self:
        """Stay one object, so that the value is in one place."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Stay one object, so that the value is in one place."""
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("Secret: never serialised; send its {env} or {file} form instead")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take a Secret or one of its two YAML forms; write `<secret>`."""
        return core_schema.with_info_plain_validator_function(
            _validated,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _value: _SHOWN),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the two YAML forms."""
        forms = [_form("env", "a variable's name"), _form("file", "a path")]
        return {"oneOf": forms, "description": "A secret, read from where it is kept."}


def _form(key: str, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: {"type": "string", "description": description}},
        "required": [key],
        "additionalProperties": False,
    }


def _checked(value: str | None, place: str, remedy: str) -> str:
    if value is None:
        raise SecretError(place, "not set", remedy)
    if not value.strip():
        raise SecretError(place, "empty", remedy)
    return value


def _validated(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, Mapping):
        raise fault("a secret is never written out", f"write {_FORMS}")
    if len(value) != 1 or next(iter(value)) not in {"env", "file"}:
        raise fault("not the place of a secret", f"write {_FORMS}")
    form, where = next(iter(value.items()))
    if not isinstance(where, str) or not where:
        raise fault("the place of a secret is not text", f"write {_FORMS}")
    context = info.context or {}
    try:
        if form == "env":
            return Secret.from_environ(where, context.get("environ", {}))
        return Secret.from_file(context.get("directory", Path()) / where)
    except SecretError as error:
        raise fault(f"{error.place}: {error.problem}", error.remedy) from None
