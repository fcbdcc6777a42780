"""DenoSent. Wang et al., AAAI 2024. arXiv:2401.13621, section 3: a sentence is rebuilt from its one vector.

Words left out take the place of back-translation as discrete noise.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=16, steps=32)
  c.number = 46
  c.view = dict(name='deleted', rate=0.1, first='data.ids.first', original=False)
  c.heads.projector = dict(name='linear')
  c.heads.decoder = dict(name='decoder', on='projector', depth=1, heads=1, dropout=0.1, causal=False)
  c.heads.lm = dict(name='lm_head')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.told = dict(name='seq2seq', text='ids', context='views.q[0]', shift=False, drop=0.825)
  c.losses.denoise = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.losses.contrast = dict(name='simcse', of=('views.q', 'views.k'), pairs=((0, 1),), temperature=0.05)
  c.claim = dict(
    metric='sts_spearman', beats=('contrast alone',), margin=0.01,
    variants={'contrast alone': ('losses.denoise.weight=0.0',)},
  )  # fmt: skip
  return c
