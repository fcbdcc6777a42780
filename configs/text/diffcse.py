"""DiffCSE. Chuang et al., NAACL 2022. arXiv:2204.10298, section 3.

The generator, a frozen DistilBERT in the paper, learns masked words beside, in a term of its own.
Telling edits apart weighs .5, where the paper has .005 to .05: in so few steps it adds nothing at those. MiniLM was tuned on
sentences before, and contrast by dropout takes it below its start, with this term less far.
"""

from jssl.configs import common


def get_config():
  c = common.sentences(steps=48)
  c.number = 158
  c.heads.projector = dict(name='mlp', widths=(768, 384), bias=False, final_bias=False, final_norm=True)
  c.heads.generator = dict(name='bert', on='data.ids', vocabulary=30522, width=64, depth=1, heads=4, mask_id=103, std=0.1)
  c.heads.lm = dict(name='lm_head', on='generator')
  c.heads.discriminator = dict(name='minilm', on='data.ids', depth=1, dropout=0.1)
  c.heads.replaced = dict(name='linear', on='discriminator', dim=1)
  c.terms.difference = dict(
    name='difference', mask=dict(name='mask_tokens', ratio=0.3, first=999), weight_detect=0.5,
    objectives=dict(contrast=dict(name='simcse', temperature=0.05), detect=dict(name='replaced_token_detection')),
  )  # fmt: skip
  c.terms.mlm = dict(
    name='masked_lm', encoder='generator', mask=dict(name='mask_tokens', first=999), objective=dict(name='token_cross_entropy')
  )
  c.claim = dict(
    metric='sts_spearman', beats=('simcse',), margin=0.005, seeds=3, variants={'simcse': ('terms.difference.weight_detect=0.0',)}
  )
  return c
