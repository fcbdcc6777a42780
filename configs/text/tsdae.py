"""TSDAE. Wang, Reimers, Gurevych, Findings of EMNLP 2021. arXiv:2104.06979, section 3: a sentence is rebuilt from the vector of its rest.

The encoder and its head of words begin from the masked language model that jssl ships, which was not trained by contrast.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.parts = (
    '60 % of the tokens are deleted; the encoder reads the others (official code: words)',
    'one vector: the state of [CLS]',
    'autoregressive decoder that attends to this vector alone and predicts the whole sentence',
    'the decoder has the embeddings and the head of words of the encoder',
    'rows of masked language modelling for as many steps, of no deletion, and of the start',
    dict(part='blocks of the decoder that share the parameters of the encoder', out='open', why='blocks of its own, from scratch'),
    dict(part='other noise: swaps, masks, replaced and inserted words; other pooling; other ratios', out='open', why='deletion alone'),
    dict(part='AskUbuntu, CQADupStack, Twitter, SciDocs', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='BERT-base; 100,000 steps of 8 sentences at 3e-5', out='scale', why='two blocks, 96 wide; 240 steps of 32 at 3e-4'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  c.view = dict(name='deleted', rate=0.6, first='data.ids.first')
  c.heads.decoder = dict(name='decoder', depth=2, heads=common.at(scale)(small=4, tiny=2), dropout=0.1)
  c.heads.lm = common.start(scale, 'masked_lm_head')
  c.passes.views = dict(name='embed')
  c.passes.told = dict(name='seq2seq', text='ids', context='views.q[1]')
  c.passes.words = dict(name='masked_lm', mask=dict(name='mask_tokens'))
  c.losses.denoise = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.losses.words = dict(name='token_cross_entropy', of=('words.logits', 'words.labels', 'words.valid'), weight=0.0)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'masked words'), margin=0.02,
    variants={
      'masked words': ('losses.denoise.weight=0.0', 'losses.words.weight=1.0'),
      'no deletion': ('view.rate=0.0',),
    },
    without='masked words',
  )  # fmt: skip
  return c
