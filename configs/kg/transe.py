"""TransE. Bordes, Usunier, Garcia-Duran, Weston, Yakhnenko, NeurIPS 2013. doi:10.5555/2999792.2999923, section 2, Eq. 1 and 2, Algorithm 1.

The scale `fb15k` has the constants of section 4.2 for FB15k, and batches and epochs of FB15k_TransE.py of the official code (glorotxa/SME). The
user gives the folder. The loss is a sum over triples and their two corruptions, as in the official code, hence its weight.
Deviates: outputs are scaled to unit length, and not the table after each update; the last epoch is judged (paper: the best on validation data).
"""

from jssl.configs import common

PUBLISHED = dict(
  fb15k=dict(metric='links_hits10', value=0.471, source='doi:10.5555/2999792.2999923, Table 3, filtered', hardware='not published', hours=None),
)


def get_config(scale='small'):
  full = scale == 'fb15k'
  c = common.base(scale, data='triples:FB15k' if full else 'kinships', batch_size=4831 if full else 854, epochs=500 if full else 100)
  c.parts = (
    'a relation is a translation: minus the L1 distance of head and relation to the tail',
    'entities of unit length, relations of any length; 50 dimensions',
    'margin ranking with margin 1',
    'one corrupted head and one corrupted tail for each triple (paper: one of both; official code: both)',
    'stochastic gradient descent without momentum at 0.01 a triple, ten batches an epoch (official: 100), 100 epochs (official: 500)',
    'filtered ranks of heads and tails: mean rank and hits at 10',
    'the same without relations (Unstructured) as the rival',
    dict(part='L2 as the distance', out='open', why='the score has it, and no row runs it; the paper takes L1 for FB15k'),
    dict(part='raw ranks; hits by kind of relation; new relations from few triples', out='open', why='filtered ranks of all triples alone'),
    dict(part='SE, SME, LFM and RESCAL as rivals', out='open', why='not implemented'),
    dict(part='WN18, FB15k, FB1M', out='data', why='no package ships them; Kinships, and FB15k from the user'),
  )
  c.backbone = dict(name='embedding', on='data.head', dim=common.at(scale)(small=50, tiny=8), unit=True)
  c.heads.relations = dict(name='transe', count='data.relation.size', std=50**-0.5)
  c.passes.triples = dict(name='triples', negatives=dict(name='corrupted_triples', count=1))
  c.losses.ranking = dict(name='margin_ranking', of=('triples.positive', 'triples.negatives'), margin=1.0, weight=2.0 * c.batch_size)
  c.optimizer = dict(name='sgd', learning_rate=0.01, momentum=0.0, weight_decay=0.0)
  c.evaluators = dict(links=dict(name='link_prediction'))
  c.claim = dict(
    metric='links_mrr', beats=('random_init', 'unstructured'), margin=0.05, without='unstructured',
    variants=dict(unstructured=('heads.relations.std=0.0', 'freeze=("relations",)')),
  )  # fmt: skip
  return c
