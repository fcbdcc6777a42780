"""DiffCSE. Chuang et al., NAACL 2022. arXiv:2204.10298, section 3.

The generator, a frozen DistilBERT in the paper, learns masked words beside, in a term of its own.
Not held so far: in so few steps telling edits apart adds nothing to contrast. At ten times the paper's largest weight, chosen on these
pairs, it came out ahead on them, and behind on the pairs held out.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale)
  c.number = 158
  widths = common.at(scale)(small=(768, 384), tiny=(32, 16))
  c.heads.projector = dict(name='mlp', widths=widths, bias=False, final_bias=False, final_norm=True)
  c.heads.generator = dict(name='bert', on='data.ids', width=64, depth=1, heads=4, std=0.1)
  c.heads.lm = dict(name='lm_head', on='generator')
  c.heads.discriminator = common.minilm(scale, on='data.ids', depth=1, dropout=0.1)
  c.heads.replaced = dict(name='linear', on='discriminator', dim=1)
  c.passes.sentence = dict(name='embed', heads=('projector',))
  c.passes.corrupt = dict(name='replace_tokens', mask=dict(name='mask_tokens', ratio=0.3))
  c.passes.judged = dict(name='encode', network='discriminator', on='corrupt.ids', first_token='sentence.q[0]')
  c.passes.logits = dict(name='apply', network='replaced', on='judged.tokens')
  c.passes.mlm = dict(name='masked_lm', encoder='generator', mask=dict(name='mask_tokens'))
  c.losses.contrast = dict(name='simcse', of=('sentence.q', 'sentence.k'), pairs=((0, 1),), temperature=0.05)
  c.losses.detect = dict(name='replaced_token_detection', of=('logits.score', 'corrupt.replaced', 'corrupt.real'), weight=0.05)
  c.losses.mlm = dict(name='token_cross_entropy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.metrics.replaced = dict(name='share', of=('corrupt.replaced', 'corrupt.real'))
  c.claim = dict(metric='sts_spearman', beats=('simcse',), margin=0.005, variants={'simcse': ('losses.detect.weight=0.0',)})
  return c
