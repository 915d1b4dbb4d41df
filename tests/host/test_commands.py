import click
import pytest
from click.testing import CliRunner

from host.commands import config_option, in_one_sentence, json_option
from host.settings import SettingsError


class NarrowError(LookupError):
    """A refusal of its own kind."""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SettingsError("site.toml, line 3: no"), 78, "a-program: site.toml, line 3: no\n"),
        (NarrowError("nobody"), 1, "a-program: the list: nobody\n"),
    ],
)
def test_what_stops_a_command_is_one_sentence_and_a_code(error: Exception, code: int, said: str) -> None:
    @click.command()
    @config_option("A file.")
    @json_option
    @in_one_sentence("a-program", {NarrowError: "the list: "})
    def stopped(**_: object) -> None:
        raise error

    done = CliRunner().invoke(stopped, ["--config", "x.toml"])
    assert (done.exit_code, done.stderr, done.stdout) == (code, said, "")


def test_an_error_that_nobody_named_is_a_bug_and_shown_as_one() -> None:
    @in_one_sentence("a-program")
    def broken() -> None:
        raise NarrowError("nobody")

    with pytest.raises(NarrowError):
        broken()
