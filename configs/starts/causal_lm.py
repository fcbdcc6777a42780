"""A small GPT. Radford, Wu, Child, Luan, Amodei, Sutskever 2019, as Brown et al. train it. arXiv:2005.14165, section 2.1.

A causal transformer of three blocks of width 128 on English from packages. What departs: word pieces of lower-case text in place of bytes,
so that it shares its ids with the masked start; one passage a row, between [CLS] and [SEP], in place of packed text; no sparse attention.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.english(scale)
  c.optimizer.learning_rate.peak = 3e-3
  c.backbone = common.transformer(scale, 'causal_lm', width=128, depth=3, heads=4)
  c.passes.told = dict(name='causal_lm')
  c.losses.told = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('told.logits', 'told.labels', 'told.valid'))
  c.evaluators = dict(next=dict(name='next_tokens'))
  c.claim = None
  return c
