"""DistMult. Yang, Yih, He, Gao, Deng, ICLR 2015. arXiv:1412.6575, section 3, Eq. 2 and 4, and section 4.

Deviates: decay of 1e-4 / (2 * 854) (paper 1e-4): the paper's loss is a sum over triples and their two corruptions, here it is a mean.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='kinships', batch_size=854, epochs=50)
  c.number = 185
  c.parts = (
    'score: head, relation and tail multiplied and summed; entities of unit length, dimension 50 (paper: 100)',
    'margin ranking with margin 1, one corrupted head and one corrupted tail for each triple',
    'L2 penalty of 1e-4 on relations, scaled to a mean of triples in the place of the sum',
    'AdaGrad at 0.1, ten batches an epoch, 50 epochs (paper: 100 to 300)',
    'filtered ranks of heads and tails: MRR and hits at 10',
    'TransE under the same loss as the rival',
    dict(part='bilinear, neural tensor and other scores as rivals', out='open', why='the bilinear score is implemented, and no row runs it'),
    dict(part='tanh of the entities, their vectors from pretrained words', out='open', why='free vectors alone'),
    dict(part='average precision with entity types; rules mined from relations (EmbedRule)', out='open', why='not implemented'),
    dict(part='Wordnet and Freebase triples', out='data', why='no package ships them; Kinships'),
  )
  c.backbone = dict(name='embedding', on='data.head', dim=common.at(scale)(small=50, tiny=8), unit=True)
  c.heads.relations = dict(name='distmult', count='data.relation.size')
  c.passes.triples = dict(name='triples', negatives=dict(name='corrupted_triples', count=1))
  c.losses.ranking = dict(name='margin_ranking', of=('triples.positive', 'triples.negatives'), margin=1.0)
  c.losses.decay = dict(name='square_norm', of=('nets.relations.vectors',), weight=1e-4 / (2 * 854))
  c.optimizer = dict(name='adagrad', learning_rate=0.1)
  c.evaluators = dict(links=dict(name='link_prediction'))
  c.claim = dict(
    metric='links_mrr', beats=('random_init', 'transe'), margin=0.05,
    variants=dict(transe=('heads.relations.name=transe', 'heads.relations.count=data.relation.size')),
  )  # fmt: skip
  return c
