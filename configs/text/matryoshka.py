"""Matryoshka representation learning (MRL). Kusupati et al., NeurIPS 2022. arXiv:2205.13147, section 3, Eq. 1, for embeddings of sentences.

The objective on every size is that of `mnrl`, as contrast of pairs of encoders (ALIGN) in section 4.1 of the paper.
"""

from jssl.configs.text import mnrl

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = mnrl.get_config(scale)
  c.parts = (
    'the sum of the objective over embeddings cut to their first 8, 16, 32, 64 and all 96 features, each with weight 1',
    'cut embeddings are scaled to unit length before the contrast, and at test',
    'in-batch softmax of cosines on pairs, one way, temperature 0.05',
    'training of the full size alone as the rival, cut to as many features at test; the figures of the full size beside',
    dict(part='classifiers for each size, one for all by cut weights (MRL-E)', out='open', why='contrast of pairs alone'),
    dict(part='adaptive classification and retrieval: a short list by few features, its order by many', out='open', why='not implemented'),
    dict(part='ImageNet and JFT, ALIGN, BERT on Wikipedia', out='data', why='no package ships them; pairs of a grammar'),
    dict(part='ResNet-50 and ViT-B/16, 2,048 and 768 features', out='scale', why='one block, 96 wide; 300 steps of 64'),
  )
  del c.losses.ranking, c.heads.relation, c.passes.relation
  c.losses.nested = dict(
    name='matryoshka', of=dict(q='pairs.q[0]', k='pairs.q[1]'), dims=at(small=(8, 16, 32, 64, 96), tiny=(4, 16)),
    objective=dict(name='simcse', temperature=0.05),
  )  # fmt: skip
  c.evaluators = dict(short=dict(name='sts', texts='sentences', dims=at(small=8, tiny=4)), **c.evaluators)
  c.claim = dict(
    metric='short_spearman', beats=('random_init', 'start', 'full size alone'), margin=0.02,
    also=(dict(metric='sts_spearman', beats=('full size alone',), margin=-0.03),),
    variants={'full size alone': ('losses.nested.dims=(96,)',)},
    without='full size alone',
  )  # fmt: skip
  return c
