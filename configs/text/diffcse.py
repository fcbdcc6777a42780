"""DiffCSE. Chuang et al., NAACL 2022. arXiv:2204.10298, section 3.

Encoder, discriminator and generator all begin from the masked language model that jssl ships, which was not trained by contrast. The generator
and its head are frozen, as DistilBERT is in the paper.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.number = 158
  c.parts = (
    'two dropout views, in-batch softmax of cosines, temperature 0.05; the state of [CLS]',
    'projector of two linear layers, twice as wide and as wide, with batch norm after each, the last without scale; not used at test',
    "edited sentence: 30 % of the tokens masked, and replaced by a generator's most likely ones (paper: samples)",
    'generator: a pretrained masked language model, frozen, without dropout',
    'discriminator that tells for each token whether it was replaced; its [CLS] input is the projected vector of the original sentence',
    'detection weighs 0.005, a mean over tokens as in the official code (paper: a sum); it edits one view (official code: both)',
    'contrast alone as the rival, and the start as a row',
    dict(part='of the 30 %, 10 % random words, 10 % kept; every position generated (official code)', out='open', why='masks, and these alone'),
    dict(part='ablations: other edits than masked words, other conditional tasks, no contrast', out='open', why='no row runs them'),
    dict(part='a million sentences of Wikipedia; STS and transfer tasks', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='BERT and DistilBERT, two epochs at 7e-6', out='scale', why='two blocks, 96 wide, each; 240 steps of 32 at 3e-4'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  widths = common.at(scale)(small=(192, 96), tiny=(32, 16))
  c.heads.projector = dict(name='mlp', widths=widths, bias=False, final_bias=False, final_norm=True)
  c.heads.generator = common.start(scale, 'masked_lm', on='data.ids')
  c.heads.lm = common.start(scale, 'masked_lm_head', on='generator')
  c.heads.discriminator = common.start(scale, 'masked_lm', on='data.ids', dropout=0.1)
  c.heads.replaced = dict(name='linear', on='discriminator', dim=1)
  c.optimizer.parts = (dict(of=('generator', 'lm'), rate=0.0),)
  c.passes.sentence = dict(name='embed', heads=('projector',))
  c.passes.corrupt = dict(name='replace_tokens', mask=dict(name='mask_tokens', ratio=0.3))
  c.passes.judged = dict(name='encode', network='discriminator', on='corrupt.ids', first_token='sentence.q[0]')
  c.passes.logits = dict(name='apply', network='replaced', on='judged.tokens')
  c.losses.contrast = dict(name='simcse', of=('sentence.q', 'sentence.k'), pairs=((0, 1),), temperature=0.05)
  c.losses.detect = dict(name='replaced_token_detection', of=('logits.score', 'corrupt.replaced', 'corrupt.real'), weight=0.005)
  c.metrics.replaced = dict(name='share', of=('corrupt.replaced', 'corrupt.real'))
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'simcse'), margin=0.005,
    variants={'simcse': ('losses.detect.weight=0.0',)},
    without='simcse',
  )  # fmt: skip
  return c
