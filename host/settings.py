"""One TOML file becomes one frozen model, or one sentence that says where it is wrong and what is allowed."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: systemd's `RestartPreventExitStatus=` knows it."""

MAX_SETTINGS_BYTES = 1_048_576
"""No settings file of ours comes near 1 MiB; a larger one is a mistake."""


class SettingsError(ValueError):
    """The settings cannot be used: one sentence with file, line, key and what is allowed."""


class Settings(BaseModel):
    """What every section of a settings file is: frozen, closed to unknown keys, and exact: `"8"` is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _in_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return Path(folder) / path if folder else path


_NO_ZONE = "a time zone is UTC or a name such as Europe/Paris"


def _is_zone(name: str) -> str:
    # The database has also `posixrules` and `localtime`, which are whatever somebody made them, and copies of it in
    # `posix` and `right`, the latter with leap seconds: a name of IANA has an area and a location.
    area, has_location, _ = name.partition("/")
    if name != "UTC" and (not has_location or area in ("posix", "right")):
        raise ValueError(_NO_ZONE)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(_NO_ZONE) from error
    return name


TimeZone = Annotated[str, AfterValidator(_is_zone)]
"""The name of a zone in the machine's time zone database."""

File = Annotated[Path, Field(strict=False), AfterValidator(_in_folder)]
"""A path, which TOML writes as a text; a relative one stands beside the settings file."""

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model]) -> Model:
    """Return the settings in the TOML file at `path`.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or does not fit `model`.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    if len(raw) > MAX_SETTINGS_BYTES:
        raise SettingsError(f"{path}: larger than 1 MiB, which no settings file is")
    try:
        text = raw.decode("utf-8")
        content = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    try:
        return model.model_validate(content, context={"folder": path.resolve().parent})
    except ValidationError as error:
        found = _located(error.errors()[0], content)
        section = _section(model, content, found["loc"][:-1])
        raise SettingsError(_sentence(path, text, found, list(section.model_fields))) from error


def secret(name: str, file: Path | None) -> bytes:
    """Return a secret: systemd's credential `name` when there is one, else the content of `file`.

    Raises:
        SettingsError: neither exists, or it is empty.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / name if folder and (Path(folder) / name).exists() else file
    if path is None:
        raise SettingsError(f"the credential '{name}' is missing: name its file in the settings, or load it by systemd")
    try:
        content = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"{path}: the credential '{name}' cannot be read ({error.strerror})") from error
    if not content:
        raise SettingsError(f"{path}: the credential '{name}' is empty")
    return content


def wrong_key(path: Path, location: list[int | str], why: str) -> SettingsError:
    """Return the error of a key whose value fits the model, and yet cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""  # it was readable a moment ago; the key alone has to do
    return SettingsError(f"{path}, line {line_of(text, location)}: '{_key(location)}' is wrong: {why}")


def _located(error: ErrorDetails, content: object) -> ErrorDetails:
    """Return the error with the location that the file has: without what pydantic adds for kinds and validators."""
    location: list[int | str] = []
    here, tagged = content, False
    for part in error["loc"]:
        if isinstance(part, str) and part.startswith("function-"):
            continue
        if not tagged and isinstance(here, dict) and part == here.get("kind"):
            tagged = True
            continue
        location.append(part)
        tagged = False
        here = _inside(here, part)
    return {**error, "loc": tuple(location)}


def _inside(content: object, part: int | str) -> object:
    if isinstance(content, dict):
        return content.get(part)
    return content[part] if isinstance(content, list) and isinstance(part, int) and part < len(content) else None


def _sentence(path: Path, text: str, error: ErrorDetails, keys: list[str]) -> str:
    """Return what is wrong; `keys` are those that the section with the error may have."""
    location = list(error["loc"])
    key = _key(location)
    if not key:
        allowed = _allowed(error)
        line = _line_that_names(text, allowed)
        return f"{path}{'' if line is None else f', line {line}'}: {allowed}"
    where = f"{path}, line {line_of(text, location)}"
    if error["type"] == "extra_forbidden":
        return f"{where}: the key '{key}' is not known; allowed there: {', '.join(keys)}"
    if error["type"] in ("missing", "union_tag_not_found"):
        return f"{where}: the key '{key if error['type'] == 'missing' else f'{key}.kind'}' is missing"
    # A badge's number or a password, written there by mistake, must not come into a log; nor all that a section has.
    unsaid = location[-1] in _UNSAID or isinstance(error["input"], dict | list)
    found = "" if unsaid else f" (found: {str(error['input'])[:60]!r})"
    return f"{where}: '{key}' is wrong: {_allowed(error)}{found}"


_UNSAID = frozenset({"uid_hash", "bookings_url", "url"})

_ALLOWED = {
    "bool": "true or false is needed",
    "float": "a number is needed",
    "int": "a whole number is needed",
    "path": "a path in quotes is needed",
    "string": "a text in quotes is needed",
    "greater_than": "more than {gt} is needed",
    "greater_than_equal": "at least {ge} is needed",
    "less_than": "less than {lt} is needed",
    "less_than_equal": "at most {le} is allowed",
    "literal_error": "{expected} is needed",
    "string_too_short": "at least {min_length} characters are needed",
    "string_too_long": "at most {max_length} characters are allowed",
    "too_short": "at least {min_length} are needed",
    "too_long": "at most {max_length} are allowed",
    "union_tag_invalid": "its kind must be one of {expected_tags}",
}
"""Pydantic's words for a wrong value, as a technician would say them; a whole family by its first word."""

_PATTERNS = {
    r"^[a-z0-9][a-z0-9-]{0,39}$": "1 to 40 lower-case letters, digits and dashes are needed, no dash first",
    r"^[0-9a-z][0-9a-z-]{0,31}$": "1 to 32 lower-case letters, digits and dashes are needed, no dash first",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits are needed",
}


def _allowed(error: ErrorDetails) -> str:
    """Return what is allowed, in plain words."""
    kind, details = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch" and details["pattern"] in _PATTERNS:
        return _PATTERNS[details["pattern"]]
    words = _ALLOWED.get(kind) or _ALLOWED.get(kind.partition("_")[0])
    if words is None:
        return error["msg"].removeprefix("Value error, ")
    plain = {
        name: int(value) if isinstance(value, float) and value == int(value) else value
        for name, value in details.items()
    }
    return words.format(**plain)


def _section(model: type[BaseModel], content: object, location: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the model of the section at `location`; of several kinds of it, the one that the file names."""
    section, here, models = model, content, list[type[BaseModel]]()
    for part in location:
        here = _inside(here, part)
        if isinstance(part, str) and part in section.model_fields:
            models = _sections(section.model_fields[part].annotation)
        if isinstance(here, dict) and models:
            kind = here.get("kind")
            section = next((one for one in models if kind in _kinds(one)), models[0])
    return section


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _sections(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401  # a type hint has no type
    """Return the models that a type hint names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _key(location: list[int | str]) -> str:
    return ".".join(f"[{part + 1}]" if isinstance(part, int) else str(part) for part in location).replace(".[", "[")


_TABLE = re.compile(r"^\s*\[(\[?)\s*([^\]]+?)\s*\]")
_QUOTED = re.compile(r"'([^']+)'")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*(?:\.|=)""")


def line_of(text: str, location: list[int | str]) -> int:
    """Return the line of the deepest part of `location` that the file writes down; 1 if none."""
    best, best_depth = 1, 0
    table: list[int | str] = []
    counts: dict[tuple[int | str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        here = table
        if match := _TABLE.match(line):
            table = here = _table_path(match, counts)
        elif match := _KEY.match(line):
            here = [*table, match.group(1)]
        else:
            continue
        depth = len(here)
        if depth > best_depth and list(location[:depth]) == here:
            best, best_depth = number, depth
    return best


def _line_that_names(text: str, sentence: str) -> int | None:
    """Return where the last thing that a sentence about the whole file names stands last: one of two that collide."""
    for name in reversed(_QUOTED.findall(sentence)):
        word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        written = [line.partition("#")[0] for line in text.splitlines()]
        lines = [number for number, line in enumerate(written, start=1) if word.search(line)]
        if lines:
            return lines[-1]
    return None


def _table_path(match: re.Match[str], counts: dict[tuple[int | str, ...], int]) -> list[int | str]:
    """Return the path of a table header, with the index of each array of tables it stands in."""
    names = [name.strip().strip("\"'") for name in match.group(2).split(".")]
    path: list[int | str] = []
    for depth, name in enumerate(names):
        path.append(name)
        if match.group(1) and depth == len(names) - 1:
            counts[tuple(path)] = counts.get(tuple(path), -1) + 1
        if tuple(path) in counts:
            path.append(counts[tuple(path)])
    return path
