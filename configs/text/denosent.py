"""DenoSent. Wang et al., AAAI 2024. arXiv:2401.13621, section 3: a sentence is rebuilt from its one vector.

Words left out take the place of back-translation as discrete noise.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, batch_size=16, steps=32)
  c.number = 46
  c.parts = (
    'encoder reads the sentence with one token in ten deleted (paper: back-translation; it advises against deletion)',
    'decoder input: embeddings of the original sentence, without gradient, under dropout of 0.825; every original token is predicted',
    'decoder without causal mask, of one head, that attends to the one projected vector of the sentence; not used after training',
    'pre-norm decoder with GELU (official code: post-norm, ReLU); head of words trained from scratch (official code: the one of BERT)',
    'in-batch contrast of two such noisy views by cosines, temperature 0.05 as in the official code (paper: 0.03)',
    'sum of both losses with equal weights; contrast alone as a row',
    dict(part='rows of denoising alone, and without discrete noise', out='open', why='no row runs them'),
    dict(part='state of [MASK] in the template: "[X]" means [MASK].', out='open', why='mean of the tokens'),
    dict(part='back-translation, or rewriting by a large language model, as discrete noise', out='data', why='none packaged'),
    dict(part='a million sentences of Wikipedia; STS tasks, and those of MTEB', out='data', why='none packaged; news and Lee documents'),
    dict(part='decoder of 16 layers, BERT-base', out='scale', why='one layer; one block of MiniLM, 32 steps'),
  )
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
