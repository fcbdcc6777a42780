"""TURL. Deng, Sun, Lees, Wu, Yu, VLDB 2020. arXiv:2006.14806, section 4: cells of tables see their own row and column alone."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='umls_tables', batch_size=32, epochs=None, steps=400)
  c.number = 67
  c.parts = (
    'visibility matrix: headers, subjects and objects, told apart by types of tokens, attend to their own row and column',
    'no positions: entities have none in the paper, and headers are single tokens, whose position in the header is 0',
    'masked entity recovery of 60 % of the entities against all 135, tied to their embeddings (paper: sampled candidates)',
    'of these, 10 % are kept and 2.7 % are replaced by a random entity, as in the official code',
    'masked language modelling of 20 % of the headers, tied to the embedding; 80 % masked, 10 % replaced, 10 % kept',
    'cell filling: ranks of the masked entity, other correct ones left out; hits at 1',
    'full attention in the place of the visibility matrix as the rival, an ablation of the paper, here with learned positions',
    dict(part='mentions beside entities, captions, topic entities', out='open', why='entities and headers alone'),
    dict(part='entity linking, column types, relations, row population, schema augmentation', out='open', why='cell filling alone'),
    dict(part='570,000 tables of Wikipedia', out='data', why='no package ships them; tables of UMLS triples'),
    dict(part='TinyBERT as the start: 4 layers, 312 wide', out='scale', why='two layers, 64 wide, from scratch'),
  )
  c.backbone = common.transformer(scale, 'bert', width=64, depth=2, heads=4, types=3, pool='cls', dropout=0.1, std=0.1, positions=False)
  c.heads.cell = dict(name='linear')
  c.heads.lm = dict(name='lm_head')
  c.optimizer.learning_rate.peak = 2e-3
  ids = dict(mask='data.ids.mask', first='data.ids.first', size='data.ids.size')
  c.passes.table = dict(name='sample', sampler=dict(name='table_cells', **ids))
  c.passes.states = dict(name='encode', on='table.ids', mask='table.hidden', types='table.types', visible='table.visible')
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
    # Positions let full attention learn where rows and columns are; without them, it would know no relation of a cell.
    variants={'full attention': ('passes.table.sampler.structured=False', 'evaluators.cells.structured=False', 'backbone.positions=True')},
    without='full attention',
  )  # fmt: skip
  return c
