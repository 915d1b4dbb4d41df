"""One TOML file becomes one frozen model, or one sentence that says where it is wrong and what is allowed."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: systemd's `RestartPreventExitStatus=` knows it."""

MAX_SETTINGS_BYTES = 1_048_576
"""No settings file of ours comes near 1 MiB; a larger one is a mistake."""


class SettingsError(ValueError):
    """The settings cannot be used: one sentence with file, line, key and what is allowed."""


class Settings(BaseModel):
    """What every section of a settings file is: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return Path(folder) / path if folder else path


File = Annotated[Path, AfterValidator(_in_folder)]
"""A path; a relative one stands beside the settings file."""

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
        raise SettingsError(_sentence(path, text, error.errors()[0])) from error


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


def _sentence(path: Path, text: str, error: ErrorDetails) -> str:
    location = [part for part in error["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = _key(location)
    where = f"{path}, line {line_of(text, location)}"
    if error["type"] == "extra_forbidden":
        return f"{where}: the key '{key}' is not known; see `docs/operating.md` for the keys allowed there"
    if error["type"] == "missing":
        return f"{where}: the key '{key}' is missing"
    what = error["msg"].removeprefix("Value error, ")
    if not key:
        return f"{where}: {what}"
    return f"{where}: '{key}' is wrong: {what} (found: {str(error['input'])[:60]!r})"


def _key(location: list[int | str]) -> str:
    return ".".join(f"[{part + 1}]" if isinstance(part, int) else str(part) for part in location).replace(".[", "[")


_TABLE = re.compile(r"^\s*\[(\[?)\s*([^\]]+?)\s*\]")
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
