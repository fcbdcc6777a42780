"""miCSE. Klein, Nabi, ACL 2023. arXiv:2211.04928, section 3: the attention of two views of a sentence is made to agree.

As in the config `simcse`, the views differ by dropout, and a text is the state of [CLS].
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.number = 244
  c.parts = (
    'two dropout views, in-batch softmax of cosines, temperature 0.05; [CLS]; a head of one linear layer and tanh in training alone',
    'mutual information of the attention of both views, for each head and each of two chunks of the layers',
    'log-normal assumption: -1/2 log(1 - r^2) of the correlation r of log-probabilities; gradient to both views',
    'all pairs of tokens that are not padding (official code: 150 random entries that dropout keeps, times the square of their share)',
    'weight 1e-3, as for few sentences (official code: 1e-4 to 1e-3); all layers (official code: the 8th to 11th of 12)',
    'few sentences: 2,600, of news; the rival is contrast alone (SimCSE)',
    dict(part='training sets of 0.0064 % to 10 % of a million sentences of Wikipedia; STS', out='data', why='none packaged; news'),
    dict(part='RoBERTa; the full training set', out='open', why='few sentences alone'),
    dict(part='BERT-base; batches of 64 at 1e-5, 10 to 500 epochs', out='scale', why='two blocks, 96 wide; 240 steps of 32 at 3e-4'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  c.heads.projector = dict(name='mlp', widths=common.at(scale)(small=(96,), tiny=(16,)), norm='none', final_act='tanh')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.attention = dict(name='log_attention', on='views.layers')
  c.losses.nce = dict(name='simcse', of=('views.q', 'views.k'), pairs=((0, 1),), temperature=0.05)
  seen = dict(first='attention.out[0]', second='attention.out[1]', mask='attention.real')
  c.losses.attention = dict(name='attention_information', of=seen, chunks=2, weight=1e-3)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'simcse'), margin=0.005,
    variants={'simcse': ('losses.attention.weight=0.0',)},
    without='simcse',
  )  # fmt: skip
  return c
