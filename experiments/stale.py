"""Counts the claims whose records an edit of a single definition makes stale. Nothing is written.

python experiments/stale.py                                  ten definitions of different kinds
python experiments/stale.py jssl.views.image:_blur           one's own choice
"""

import ast
import sys

from jssl import configs
from jssl.ledger import reach

TEN = (
  'jssl.objectives.contrastive:nt_xent', 'jssl.views.image:_jitter', 'jssl.evaluators.general.knn:neighbour_vote',
  'jssl.metrics.retrieval:mean_average_precision', 'jssl.models.layers.attention:attention', 'jssl.passes.masked:jepa',
  'jssl.data.text.corpora:rotten_tomatoes', 'jssl.ops.pooling:masked_mean', 'jssl.parts.teachers:ema', 'jssl.core.step:make_step',
)  # fmt: skip


def claims() -> dict[str, dict]:
  """The configs of the systems that have a claim."""
  found = {name: configs.module(name).get_config() for name in configs.names()}
  return {name: c.to_dict() for name, c in found.items() if c.get('claim')}


def edited(at: str) -> reach.Code:
  """The code with a statement more in one function or class."""
  module, _, name = at.partition(':')
  tree = ast.parse(reach.source(module))
  for node in tree.body:
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
      node.body.append(ast.Pass())
      return reach.Code({module: ast.unparse(tree)})
  raise SystemExit(f'{at}: there is no function or class of that name at the top of the module')


def stale(at: str, systems: dict[str, dict]) -> list[str]:
  """The systems whose hash an edit of a definition changes."""
  after = edited(at)
  return [name for name, c in systems.items() if after.hash(c) != reach.code_hash(c)]


if __name__ == '__main__':
  systems = claims()
  for at in sys.argv[1:] or TEN:
    names = stale(at, systems)
    print(f'{at}: {len(names)} of {len(systems)}' + (f' ({", ".join(names)})' if len(names) <= 6 else ''))
