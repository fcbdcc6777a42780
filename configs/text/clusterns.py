"""ClusterNS. Deng, Wan, Yang, Quan, Wang, Findings of ACL 2023. arXiv:2305.09892, section 3.

Parts:
1. Two dropout views in batch, cosine, tau = 0.05: built.
2. [CLS] and an MLP head that is there in training alone: built.
3. Centroids that begin, farthest first, at a batch whose mean cosine is below a threshold: built.
4. Assignment by cosine, momentum update, empty clusters unchanged: built; by the mean as in the paper, where the released code sums.
5. Hard negatives, the second nearest centroid, without gradient: built; `alpha` is log mu, 0 as in the released code.
6. Bidirectional margin loss on the others of a cluster: built.
7. PromptBERT version: left out (data: no pretrained network that fills templates in is at hand).
8. BERT and RoBERTa on a million sentences of Wikipedia, batches of 512, 128 centroids: left out (scale, data).

Centroids move after the loss of a batch, and not before. As steps are few, they move at 0.05 and not 0.001, and the margin loss weighs
1e-2 and not 1e-4.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=64, steps=60, depth=2, pool='cls')
  c.number, c.kind = 207, 'data'
  c.heads.projector = dict(name='mlp', widths=common.at(scale)(small=(384, 384), tiny=(32, 16)), norm='none')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.near = dict(name='nearest', on='views.q[0]', table='memory.clusters.centroids', valid='memory.clusters.started', count=2)
  c.memories.clusters = dict(name='centroids', of=('views.q[0]', 'views.q[1]'), count=16, rate=0.05, threshold=0.4)
  pair = dict(q='views.q', k='views.k')
  c.losses.contrast = dict(name='simcse', of=dict(**pair, negatives='near.out[1]', valid='near.valid'), pairs=((0, 1),), temperature=0.05)
  c.losses.alike = dict(name='bidirectional_margin', of=dict(**pair, labels='near.index[0]'), pairs=((0, 1),), weight=1e-2)
  c.metrics.clustered = dict(name='mean_value', of=('near.valid',))  # 1 from the step on at which there are centroids
  c.claim = None
  return c
