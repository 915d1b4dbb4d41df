"""The file of a radar's settings, firmware_config/sensors/*.toml, read and written; docs/sensors.md has its keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.protocols.ld2410 import GATES
from edge.protocols.ld2410_config import MAX_GATE, MAX_NO_ONE_S, MIN_GATE, Parameters
from host.settings import Settings, load

_Gate = Annotated[int, Field(ge=MIN_GATE, le=MAX_GATE)]
_Thresholds = Annotated[list[Annotated[int, Field(ge=0, le=100)]], Field(min_length=GATES, max_length=GATES)]


class RadarFile(Settings):
    """The whole file: a threshold for each gate, gate 0 first."""

    resolution_cm: Literal[75]
    """Depth of one gate; the module's other resolution is not supported."""
    max_moving_gate: _Gate
    max_static_gate: _Gate
    no_one_duration_s: Annotated[int, Field(ge=0, le=MAX_NO_ONE_S)]
    moving_threshold_pct: _Thresholds
    static_threshold_pct: _Thresholds

    def parameters(self) -> Parameters:
        """Return the settings as the module keeps them."""
        return Parameters(
            max_moving_gate=self.max_moving_gate,
            max_static_gate=self.max_static_gate,
            no_one_s=self.no_one_duration_s,
            moving_threshold_pct=tuple(self.moving_threshold_pct),
            static_threshold_pct=tuple(self.static_threshold_pct),
        )


def read_radar_file(path: Path) -> Parameters:
    """Return the settings that a file wants.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    return load(path, RadarFile).parameters()


def radar_toml(wanted: Parameters, *, first_line: str) -> str:
    """Return a file that `read_radar_file` reads back, behind a comment of one line."""
    return "\n".join(
        [
            f"# {first_line}",
            "",
            "resolution_cm = 75",
            f"max_moving_gate = {wanted.max_moving_gate}",
            f"max_static_gate = {wanted.max_static_gate}",
            f"no_one_duration_s = {wanted.no_one_s}",
            f"moving_threshold_pct = {list(wanted.moving_threshold_pct)}",
            f"static_threshold_pct = {list(wanted.static_threshold_pct)}",
            "",
        ]
    )
