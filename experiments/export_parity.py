"""Writes tests/export.json: embeddings by Sentence Transformers of exported encoders, and the versions that gave them.

tests/run_parity --write
"""

import json
import re
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import text_encoders  # noqa: E402

PATH = ROOT / 'tests' / 'export.json'
LIBRARIES = ('torch', 'transformers', 'sentence-transformers', 'tokenizers')


def main() -> None:
  values = {}
  for name, config in text_encoders.CASES.items():
    with tempfile.TemporaryDirectory() as folder:
      text_encoders.encoder(**config).export(folder, 'sentence-transformers')
      values[name] = [[float(f'{x:.8g}') for x in row] for row in text_encoders.theirs(folder).tolist()]
  made = dict(script='experiments/export_parity.py', versions={name: version(name) for name in LIBRARIES}, values=values)
  text = json.dumps(made, indent=1)
  PATH.write_text(re.sub(r'\n\s+(?=-?\d|\])', ' ', text) + '\n')  # a text a line


if __name__ == '__main__':
  main()
