"""MAE-LM. Meng et al., ICLR 2024. arXiv:2302.02060, section 4: [MASK] never enters the encoder, and keeps no directions.

Not held so far: in 120 steps both encoders learn little but how frequent words are, and fall to one direction of 64.
"""

from jssl.configs import common


def get_config():
  c = common.text()
  c.number = 171
  c.heads.decoder = dict(name='token_decoder', depth=1, heads=4, std=0.1)
  c.heads.lm = dict(name='lm_head')
  told = dict(mask=dict(name='mask_tokens', ratio=0.15), objective=dict(name='token_cross_entropy'))
  c.terms.mlm = dict(name='masked_autoencoder_lm', **told)
  c.evaluators = dict(rank=dict(name='token_rank'))
  plain = ('terms.mlm.name=masked_lm', *(f'terms.mlm.{key}={value}' for key, value in told.items()))
  c.claim = dict(metric='rank_share', beats=('masked words',), margin=0.05, seeds=3, variants={'masked words': plain})
  return c
