import subprocess
import sys


def logged(level: str, statements: str) -> str:
    """What a program writes to standard error: another process, because logging is one for all of pytest."""
    program = f"import logging; from host.journal import log_to_stderr; log_to_stderr({level!r}); {statements}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    return done.stderr


def test_a_log_line_has_level_name_and_message_and_no_time() -> None:
    assert logged("info", "logging.getLogger('edge.link').info('link=%s', 'up')") == "INFO edge.link link=up\n"


def test_lines_below_the_level_are_not_written() -> None:
    assert logged("warning", "logging.getLogger('edge').info('quiet')") == ""


def test_the_bytes_that_nfcpy_logs_never_appear_even_at_debug() -> None:
    statements = (
        "logging.getLogger('nfc.clf.pn53x').debug('>>> 0000FF...04A2241B'); logging.getLogger('edge').debug('x')"
    )
    assert logged("debug", statements) == "DEBUG edge x\n"


def test_each_bad_frame_that_nfcpy_complains_of_is_no_line_in_the_log() -> None:
    statements = "logging.getLogger('nfc.clf.pn532').error('input/output error'); logging.getLogger('edge').error('x')"
    assert logged("info", statements) == "ERROR edge x\n"


def test_nfcpy_is_held_although_it_sets_its_own_level_when_it_is_imported() -> None:
    statements = (
        "import nfc; logging.getLogger('nfc').setLevel('DEBUG'); logging.getLogger('nfc.clf').debug('04A2241B');"
        "logging.getLogger('nfc.clf.pn532').error('input/output error'); logging.getLogger('edge').debug('x')"
    )
    assert logged("debug", statements) == "DEBUG edge x\n"
