"""DiffCSE. Chuang et al., NAACL 2022. arXiv:2204.10298, section 3.

The generator, a frozen DistilBERT in the paper, learns masked words beside, in a term of its own.
Not held so far: in so few steps telling edits apart adds nothing to contrast. At ten times the paper's largest weight, chosen on these
pairs, it came out ahead on them, and behind on the pairs held out.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale)
  c.number = 158
  c.parts = (
    'two dropout views, in-batch softmax of cosines, temperature 0.05; mean of the tokens (paper: [CLS])',
    'projector of two linear layers with batch norm, the last without scale; not used at test',
    "edited sentence: 30 % of the tokens masked, and replaced by a generator's most likely ones, as in the official code (paper: samples)",
    'discriminator that tells for each token whether it was replaced; its [CLS] input is the projected vector of the original sentence',
    'detection weighs 0.05 (paper: 0.005), a mean over tokens (paper: a sum), and edits one view (official code: both)',
    'contrast alone as the rival',
    dict(part='pretrained generator that is frozen (DistilBERT)', out='open', why='a narrow one learns masked words beside, from scratch'),
    dict(part='ablations: other edits than masked words, other conditional tasks, no contrast', out='open', why='no row runs them'),
    dict(part='a million sentences of Wikipedia; STS and transfer tasks', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='encoder and discriminator of 12 layers', out='scale', why='one block of MiniLM each, 16 steps'),
  )
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
