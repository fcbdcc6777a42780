"""Writes tests/objectives/parity.json: values and gradients by other libraries, in float64, and the versions that gave them.

    tests/run_parity --write

The inputs are drawn in tests/oracles/references.py; their checksum is stored, and the test that reads the values compares it.
"""

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.oracles import references  # noqa: E402

PATH = ROOT / 'tests' / 'objectives' / 'parity.json'
LIBRARIES = ('torch', 'torchvision', 'lightly', 'pytorch-metric-learning', 'open_clip_torch', 'sentence-transformers', 'transformers', 'numpy')


def main() -> None:
  values = {}
  for library in references.STORED:
    values[library] = {}
    for name, parity in references.LIBRARIES[library]().items():
      value, gradient = references.theirs(library, parity)
      gradient = [[float(f'{x:.9g}') for x in g.ravel()] for g in gradient]
      values[library][name] = dict(inputs=references.fingerprint(parity), value=float(value), gradient=gradient)
  made = dict(script='experiments/parity.py', versions={name: version(name) for name in LIBRARIES}, values=values)
  text = json.dumps(made, indent=1)
  PATH.write_text(re.sub(r'\n\s+(?=-?\d|\])', ' ', text) + '\n')  # an array a line


if __name__ == '__main__':
  main()
