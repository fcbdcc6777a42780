"""WhiteningBERT. Huang et al., Findings of EMNLP 2021. arXiv:2104.01767, sections 2.1 to 2.3.

The paper's encoders were never tuned on sentences; MiniLM was, so only its first five blocks are taken. Texts are the words of
SimLex-999: there are more of them than features, so that all directions can be scaled, as in the paper. Where there are
fewer, as with the Lee documents, whitening made judgements worse.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='simlex', length=8, depth=5, pool='first_last')
  c.number = 178
  c.parts = (
    'vector of a text: mean over tokens, averaged over the first block and the last, 1 and 5 here (paper: 1 and 12)',
    'whitening by mean and covariance of the evaluated texts themselves, without labels',
    'compared with the last block alone, whitened; with both blocks unwhitened; with the first token of the last, unwhitened',
    'Spearman correlation of cosines with human scores',
    dict(part='all pairs and larger sets of layers', out='open', why='one pair is run'),
    dict(part='seven sets of sentence similarity', out='data', why='no package ships them; the words of SimLex-999'),
    dict(part='BERT, RoBERTa, ALBERT, LaBSE and others', out='data', why='no package ships their weights; the first blocks of MiniLM'),
  )
  c.transform = dict(name='pca_whiten')
  c.evaluators = dict(sts=dict(name='sts'))
  c.claim = dict(
    metric='sts_spearman', beats=('last_layer', 'unwhitened', 'first_token'), margin=0.005, seeds='items',
    variants=dict(
      last_layer=('backbone.pool=mean',),
      unwhitened=('transform=None',),
      first_token=('backbone.pool=cls', 'transform=None'),
    ),
  )  # fmt: skip
  return c
