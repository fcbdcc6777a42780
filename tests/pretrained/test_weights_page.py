"""The table of docs/weights.md has the families of today; its figures are measured where the other libraries are installed."""

from experiments import weights_page
from jssl.tables import FAMILIES


def test_every_family_has_its_row():
  lines = [line for line in weights_page.PAGE.read_text().splitlines() if line.startswith('| `')]
  told = 'run python experiments/weights_page.py'
  for name in FAMILIES:
    begins = weights_page.row(weights_page.begins(name)).removesuffix('|')
    assert any(line.startswith(begins) for line in lines), f'{name} has no row {begins}: {told}'
