"""SPECTER. Cohan, Feldman, Beltagy, Downey, Weld, ACL 2020. arXiv:2004.07180, Eq. 1 and section 3.2.

The documents have words in no order, so their encoder is the mean of word vectors; the paper's is a SciBERT.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='subtopic_citations', batch_size=64, steps=600)
  c.number = 19
  c.data.length = at(small=64, tiny=8)
  c.backbone = dict(name='embedding_bag', dim=at(small=48, tiny=8), std=1.0)
  c.view = dict(name='columns', names=('ids', 'positive', 'negative'))
  c.passes.documents = dict(name='embed')
  c.losses.citations = dict(name='euclidean_triplet', of=('documents.q[0]', 'documents.q[1]', 'documents.q[2]'), margin=1.0)
  c.watch = ('documents.q[0]', 'documents.q[1]')
  c.optimizer.learning_rate.peak = 1e-2
  c.optimizer.weight_decay = 0.01
  c.evaluators = dict(retrieval=dict(name='retrieval', queries='test', documents='test'))
  c.claim = dict(
    metric='retrieval_map', beats=('raw_input', 'random_init'), margin=0.01,
    also=(dict(metric='retrieval_map', beats=('random_negatives',), margin=0.0),),
    variants=dict(random_negatives=('data.hard=0', 'data.easy=5')),
  )  # fmt: skip
  return c
