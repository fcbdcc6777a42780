"""The page of common mistakes: each command is refused with the message that the page gives."""

import re
import shlex
from pathlib import Path

import pytest

from jssl import cli
from tests.test_cli import BEGUN

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'mistakes.md'
ROWS = re.findall(r'^\| `jssl ([^`]+)` \| (.+?) \| .+ \|$', PAGE.read_text(), re.M)


def test_there_are_twenty():
  assert len(ROWS) >= 20


@pytest.mark.parametrize(('command', 'message'), ROWS, ids=[command for command, _ in ROWS])
def test_a_mistake_is_refused_in_the_line_of_the_page(command, message, capsys, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert cli.main(shlex.split(command)) == 2
  (said,) = [line for line in capsys.readouterr().err.splitlines() if not re.match(BEGUN, line)]
  assert message in said
