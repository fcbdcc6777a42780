"""DenoSent. Wang et al., AAAI 2024. arXiv:2401.13621, section 3: a sentence is rebuilt from its one vector.

Words left out take the place of back-translation as discrete noise.
"""

from jssl.configs import common


def get_config():
  c = common.sentences(batch_size=16, steps=32)
  c.number = 46
  c.view = dict(name='deleted', rate=0.1, first=999, original=False)
  c.heads.projector = dict(name='linear')
  c.heads.decoder = dict(name='decoder', on='projector', depth=1, heads=1, dropout=0.1, causal=False)
  c.heads.lm = dict(name='lm_head')
  c.terms.denoise = dict(
    name='rebuilt', objectives=dict(denoise=dict(name='token_cross_entropy'), contrast=dict(name='simcse', temperature=0.05))
  )
  c.claim = dict(
    metric='sts_spearman', beats=('contrast alone',), margin=0.01, seeds=3,
    variants={'contrast alone': ('terms.denoise.weight_denoise=0.0',)},
  )  # fmt: skip
  return c
