"""TURL. Deng, Sun, Lees, Wu, Yu, VLDB 2020. arXiv:2006.14806, section 4: cells of tables see their own row and column alone."""

from jssl.configs import common


def get_config():
  c = common.base(data='umls_tables', batch_size=32, epochs=1)
  c.number = 67
  c.epochs, c.steps = None, 400
  c.backbone = dict(name='bert', vocabulary=183, width=64, depth=2, heads=4, mask_id=1, types=3, pool='cls', dropout=0.1, std=0.1)
  c.heads.cell = dict(name='linear')
  c.heads.lm = dict(name='lm_head')
  c.optimizer.learning_rate.peak = 2e-3
  c.terms.cells = dict(
    name='cells', entities=135, objectives=dict(cell=dict(name='entity_recovery'), header=dict(name='token_cross_entropy'))
  )
  c.evaluators = dict(cells=dict(name='cell_filling'))
  c.claim = dict(
    metric='cells_hits1', beats=('random_init', 'full attention'), margin=0.02, seeds=3,
    variants={'full attention': ('terms.cells.structured=False', 'evaluators.cells.structured=False')},
  )  # fmt: skip
  return c
