"""word2vec, skip-gram with negative sampling. Mikolov, Sutskever, Chen, Corrado, Dean, NeurIPS 2013. arXiv:1310.4546, Eq. 4.

Plain gradient descent, as in the paper, at 0.04 a pair: Adam steps as far for rare words as for frequent ones, which is what
leaving out frequent ones is for.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='words', batch_size=1024, steps=6000)
  c.number = 138
  c.backbone = dict(name='embedding_bag', dim=common.at(scale)(small=64, tiny=8))
  c.heads.outputs = dict(name='embedding', count='data.noise.size', std=0.0)
  c.passes.pair = dict(
    name='lookup', sampler=dict(name='skip_gram', negatives=5), networks=dict(centre='backbone', context='outputs', negatives='outputs')
  )
  c.losses.pairs = dict(name='sgns', of=('pair.centre', 'pair.context', 'pair.negatives'))
  c.optimizer = dict(name='sgd', learning_rate=dict(name='linear', start=40.0, end=0.0), momentum=0.0, weight_decay=0.0)
  c.evaluators = dict(words=dict(name='word_similarity'))
  c.claim = dict(
    metric='words_analogy_mrr', beats=('random_init',), margin=0.02,
    also=(dict(metric='words_analogy_mrr', beats=('every_occurrence',), margin=0.0),),
    variants=dict(every_occurrence=('data.subsample=1.0',)),
  )  # fmt: skip
  return c
