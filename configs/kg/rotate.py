"""RotatE. Sun, Deng, Nie, Tang, ICLR 2019. arXiv:1902.10197, section 3, Eq. 2, 4, 5 and 6.

The scale `fb15k237` has the constants of best_config.sh of the official code for FB15k-237; the hours are those of its README. The user gives
the folder. A phase in the official code is a parameter over (gamma + 2) / d, times pi: hence its rate. Deviates: half of the corrupted triples
have another head and half another tail, under one softmax (official: all of one side, in turns), and some may be true ones (official: none of
the training split); entities start from a normal distribution (official: uniform, of the same variance); the moments of Adam are kept when the
rate falls (official: they start anew).
"""

import math

from jssl.configs import common

PUBLISHED = dict(
  fb15k237=dict(metric='links_mrr', value=0.338, source='arXiv:1902.10197, Table 5, FB15k-237', hardware='one GTX 1080 Ti', hours=6.0),
)


def get_config(scale='small'):
  full = scale == 'fb15k237'
  c = common.base(scale, data='subsampled', batch_size=1024 if full else 512, epochs=None if full else 50, steps=100_000 if full else None)
  c.parts = (
    'a relation rotates each complex coordinate of the head; score: minus the sum of the moduli of the differences to the tail',
    'log-sigmoid of true and corrupted triples with a margin gamma of 6 (paper: 9 on FB15k-237, 24 on FB15k)',
    'self-adversarial weights of corrupted triples, temperature 1, without gradient; 16 of them (paper: 256)',
    'triples weighted by how rare head with relation, and relation with tail, are (official code, as in word2vec)',
    'phases uniform over the circle; Adam without decay, a tenth of the rate from half time on; 50 complex dimensions (paper: 1,000)',
    'filtered ranks of heads and tails: MRR, mean rank and hits at 1, 3 and 10',
    'TransE under the same loss and weights as the rival',
    dict(part='corrupted triples of equal weight as a rival (section 4.4)', out='open', why='not run'),
    dict(part='true triples left out of the corrupted ones', out='open', why='not implemented; drawn from all other entities'),
    dict(part='pRotatE, ComplEx and DistMult under this loss', out='open', why='no row runs them'),
    dict(
      part='relation patterns read off the phases (section 4.3)', out='open', why='not drawn; triples whose mirror is known are ranked apart'
    ),
    dict(part='FB15k, WN18, WN18RR, YAGO3-10, Countries', out='data', why='no package ships them; Kinships, and FB15k-237 from the user'),
  )
  c.data.of = dict(name='triples:FB15k-237' if full else 'kinships')
  dim, gamma, half = common.at(scale)(small=(50, 6.0, 8), tiny=(4, 6.0, 2), fb15k237=(1000, 9.0, 128))
  bound = (gamma + 2) / dim
  c.backbone = dict(name='embedding', on='data.head', dim=2 * dim, std=bound / math.sqrt(3))
  c.heads.relations = dict(name='rotate', count='data.relation.size')
  c.passes.triples = dict(name='triples', negatives=dict(name='corrupted_triples', count=half))
  of = dict(positive='triples.positive', negatives='triples.negatives', weight='batch.weight')
  c.losses.links = dict(name='self_adversarial', of=of, margin=gamma, adversarial_temperature=1.0)
  rate = dict(name='steps', peak=5e-5 if full else 2e-3, milestones=('50%',), gamma=0.1)
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.0, parts=(dict(of=('relations',), rate=math.pi / bound),))
  c.evaluators = dict(links=dict(name='link_prediction'), mirrored=dict(name='link_prediction', mirrored=True))
  # Mirrored triples are what translations cannot tell apart from others: a relation and its mirror would both be zero.
  c.claim = dict(
    metric='links_mrr', beats=('random_init', 'transe'), margin=0.05, without='transe',
    manipulation=dict(metric='mirrored_mrr', beats=('transe',), margin=0.05),
    variants=dict(transe=('heads.relations.name=transe', 'heads.relations.count=data.relation.size', 'optimizer.parts=()')),
  )  # fmt: skip
  return c
