"""DenoSent. Wang et al., AAAI 2024. arXiv:2401.13621, section 3: a sentence is rebuilt from its one vector.

Words left out take the place of back-translation as discrete noise. The encoder and its head of words begin from the masked language model that
jssl ships, which was not trained by contrast.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.number = 46
  c.parts = (
    'encoder reads the sentence with one token in ten deleted (paper: back-translation; it advises against deletion)',
    'decoder input: embeddings of the original sentence, without gradient, under dropout of 0.825; every original token is predicted',
    'decoder without causal mask, of one head, that attends to the one projected vector of the noisy sentence; not used after training',
    'pre-norm decoder with GELU (official code: post-norm, ReLU), from scratch; head of words of the pretrained encoder',
    'in-batch contrast of the noisy sentence with the original one by cosines, temperature 0.03 (official command: 0.05)',
    'sum of both losses with equal weights (official command: 5 for contrast and 7 for denoising)',
    'rows of contrast alone, denoising alone, no discrete noise, and the start',
    dict(part='state of [MASK] in the template: "[X]" means [MASK].', out='open', why='mean of the tokens'),
    dict(part='back-translation, or rewriting by a large language model, as discrete noise', out='data', why='none packaged'),
    dict(part='a million sentences of Wikipedia; STS tasks, and those of MTEB', out='data', why='none packaged; news and Lee documents'),
    dict(part='decoder of 16 layers, BERT-base', out='scale', why='one layer, and two blocks, 96 wide; 240 steps of 32'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1)
  c.view = dict(name='deleted', rate=0.1, first='data.ids.first')
  c.heads.projector = dict(name='linear')
  c.heads.decoder = dict(name='decoder', on='projector', depth=1, heads=1, dropout=0.1, causal=False)
  c.heads.lm = common.start(scale, 'masked_lm_head')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.told = dict(name='seq2seq', text='ids', context='views.q[1]', shift=False, drop=0.825)
  c.losses.denoise = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.losses.contrast = dict(name='simcse', of=('views.q', 'views.k'), pairs=((1, 0),), temperature=0.03)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'contrast alone'), margin=0.01,
    variants={
      'contrast alone': ('losses.denoise.weight=0.0',),
      'denoising alone': ('losses.contrast.weight=0.0',),
      'no discrete noise': ('view.rate=0.0',),
    },
    without='contrast alone',
  )  # fmt: skip
  return c
