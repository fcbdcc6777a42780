"""TURL. Deng, Sun, Lees, Wu, Yu, VLDB 2020. arXiv:2006.14806, section 4: cells of tables see their own row and column alone."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='umls_tables', batch_size=32, epochs=None, steps=400)
  c.number = 67
  c.backbone = common.transformer(scale, 'bert', width=64, depth=2, heads=4, types=3, pool='cls', dropout=0.1, std=0.1)
  c.heads.cell = dict(name='linear')
  c.heads.lm = dict(name='lm_head')
  c.optimizer.learning_rate.peak = 2e-3
  c.passes.table = dict(name='sample', sampler=dict(name='table_cells', first='data.ids.first'))
  c.passes.states = dict(name='encode', on='batch.ids', mask='table.hidden', types='table.types', visible='table.visible')
  c.passes.entities = dict(name='apply', network='cell', on='states.tokens')
  c.passes.words = dict(name='apply', network='lm', on=('states.tokens', 'nets.backbone.table'))
  c.losses.cells = dict(
    name='entity_recovery',
    of=dict(z='entities.out', candidates='nets.backbone.table[data.ids.first:]', labels='table.entity', mask='table.cells'),
  )
  c.losses.headers = dict(name='token_cross_entropy', of=('words.out', 'batch.ids', 'table.headers'))
  c.evaluators = dict(cells=dict(name='cell_filling'))
  c.claim = dict(
    metric='cells_hits1', beats=('random_init', 'full attention'), margin=0.02,
    variants={'full attention': ('passes.table.sampler.structured=False', 'evaluators.cells.structured=False')},
  )  # fmt: skip
  return c
