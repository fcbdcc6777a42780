"""Contrastive Tension. Carlsson, Gyllensten, Gogoulou, Ylipaa Hellqvist, Sahlgren, ICLR 2021, at OpenReview as Ov_sMNau-PF.

The paper has no arXiv number; arXiv:2104.06979, section 4, summarises it. Both encoders begin from the masked language model that jssl ships.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.parts = (
    'two independent encoders that begin from the same parameters, without dropout; one of them is judged',
    'binary cross entropy of their dot products: the same sentence, or different ones',
    'seven pairs of different sentences for each sentence, as the mean over all pairs of the batch (paper: drawn)',
    'mean of the tokens',
    'RMSprop, as Adam without first moment; 3e-5 with a cosine schedule (paper: 1e-5 to 2e-6, in steps)',
    'row of one encoder in place of two, and the start',
    dict(part='the better one of the two encoders by a development set', out='open', why='always the same one'),
    dict(part='training on parallel sentences, and on SNLI after it', out='data', why='no package ships them'),
    dict(part='sentences of Wikipedia; STS and SentEval', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='BERT, base and large, and others; 50,000 steps of 16 pairs', out='scale', why='two blocks, 96 wide; 240 steps of 32 sentences'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm')
  c.heads.other = common.start(scale, 'masked_lm', on='data.ids')
  c.passes.views = dict(name='embed', towers=('backbone', 'other'))
  c.losses.tension = dict(name='contrastive_tension', of=('views.q[0]', 'views.q[1]'), ratio=7.0)
  c.optimizer.update(b1=0.0, b2=0.9, weight_decay=0.0)
  c.optimizer.learning_rate.peak = 3e-5
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'one encoder'), margin=0.02,
    variants={'one encoder': ("passes.views.towers='backbone'",)},
    without='one encoder',
  )  # fmt: skip
  return c
