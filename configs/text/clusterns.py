"""ClusterNS. Deng, Wan, Yang, Quan, Wang, Findings of ACL 2023. arXiv:2305.09892, section 3.

As steps are few, centroids move at 0.05 and not 0.001, and the margin loss weighs 1e-2.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=64, steps=60, depth=2, pool='cls')
  c.number, c.kind = 207, 'data'
  c.parts = (
    'two dropout views of a sentence, in-batch softmax of cosines, temperature 0.05; [CLS], and a head in training alone',
    'that head: one linear layer and tanh',
    'clustering begins at a batch whose mean cosine is at most 0.4; each centroid is the example least similar to the one before',
    'assignment by cosine, momentum update by the mean of the members, empty clusters unchanged; rate 0.05 (released code: 1e-3, by the sum)',
    'centroids move after the loss of a batch (released code: before it)',
    'hard negative: the second nearest centroid, without gradient; its weight mu is 1 as in the released code',
    'others of the same cluster as false negatives: bidirectional margin loss, 0.2 to 0.5 below the positive, weight 1e-2 (1e-3 to 1e-4)',
    'contrast alone as the rival, without hard negatives and margin loss',
    dict(part='rows without one of the two alone', out='open', why='no row runs them'),
    dict(part='PromptBERT version: the state of [MASK] in a template', out='open', why='[CLS] alone'),
    dict(part='a million sentences of Wikipedia; seven STS tasks', out='data', why='none packaged; news and Lee documents'),
    dict(part='BERT and RoBERTa; 128 centroids, batches of 256 and 512', out='scale', why='two blocks of MiniLM; 16 centroids, batches of 64'),
  )
  c.heads.projector = dict(name='mlp', widths=common.at(scale)(small=(384,), tiny=(16,)), norm='none', final_act='tanh')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.near = dict(name='nearest', on='views.q[0]', table='memory.clusters.centroids', valid='memory.clusters.started', count=2)
  c.memories.clusters = dict(name='centroids', of=('views.q[0]', 'views.q[1]'), count=16, rate=0.05, threshold=0.4)
  pair = dict(q='views.q', k='views.k')
  c.losses.contrast = dict(name='simcse', of=dict(**pair, negatives='near.out[1]', valid='near.valid'), pairs=((0, 1),), temperature=0.05)
  c.losses.alike = dict(name='bidirectional_margin', of=dict(**pair, labels='near.index[0]'), pairs=((0, 1),), weight=1e-2)
  c.metrics.clustered = dict(name='mean_value', of=('near.valid',))  # 1 from the step on at which there are centroids
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'simcse'), margin=0.005, without='simcse',
    variants=dict(simcse=(f'losses.contrast.of={pair}', 'losses.alike.weight=0.0')),
  )  # fmt: skip
  return c
