"""The code of documentation pages runs, from top to bottom."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / 'docs'


@pytest.mark.parametrize('page', ['objectives'])
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  blocks = re.findall(r'```python\n(.*?)```', (DOCS / f'{page}.md').read_text(), re.S)
  names = {}
  for block in blocks:
    if 'import equinox' in block and find_spec('equinox') is None:
      continue
    exec(compile(block, page, 'exec'), names)
  assert blocks
