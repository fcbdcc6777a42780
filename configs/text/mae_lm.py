"""MAE-LM. Meng et al., ICLR 2024. arXiv:2302.02060, section 4: [MASK] never enters the encoder, and keeps no directions.

Not held so far: both encoders learn little but how frequent words are, and one direction, the mean of all states, holds nearly all.
Less that mean the states tell more of it, as centred_share shows.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.text(scale, batch_size=32, steps=400, vocabulary=512)
  c.number = 171
  c.backbone.dropout, c.optimizer.learning_rate.peak = 0.0, 3e-3
  c.heads.decoder = dict(name='token_decoder', depth=1, heads=4, std=0.1)
  c.heads.lm = dict(name='lm_head')
  c.passes.mlm = dict(name='masked_lm', mask=dict(name='mask_tokens', ratio=0.15), decoder='decoder')
  c.losses.mlm = dict(name='token_cross_entropy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.evaluators = dict(rank=dict(name='token_rank'))
  plain = ('passes.mlm.decoder=None',)
  c.claim = dict(metric='rank_share', beats=('masked words',), margin=0.05, variants={'masked words': plain})
  return c
