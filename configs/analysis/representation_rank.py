"""Rank reduction in fine-tuning sentence embeddings. Jung, Kim, Ko, Park, Rhee 2024. arXiv:2405.11297."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=120, length=32)
  c.number, c.kind = 140, 'analysis'
  c.parts = (
    'SimCSE as the base method: the same sentence twice under dropout, temperature 0.05, without a head',
    'rank reduction: logarithm of the effective rank of eigenvalues added to the loss, as in a review of the paper; weight 0.1 not checked',
    'SimCSE without it as the baseline; Spearman of cosines with human scores',
    'start: the masked language model that jssl ships, as a row too (paper: BERT, RoBERTa)',
    dict(part='two phases of tuning, before and after the peak of the rank (singular values of most energy)', out='open', why='not logged'),
    dict(part='alignment, uniformity and linguistic probes (SentEval) along the phases', out='open', why='not run'),
    dict(part='stability over seeds, speed of tuning', out='open', why='the end of tuning alone is judged'),
    dict(part='four other contrastive methods', out='open', why='SimCSE alone'),
    dict(part='a million sentences of Wikipedia, seven sets of similarity', out='data', why='no package ships them; the Lee documents'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  c.passes.views = dict(name='embed')
  c.losses.simcse = dict(name='info_nce', of=('views.q', 'views.k'), pairs=((0, 1),), temperature=0.05)
  c.losses.rank = dict(name='rank_penalty', of=('views.q', 'views.k'), pairs=((0, 1),), weight=0.1)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'without'), margin=0.01, without='without',
    variants=dict(without=('losses.rank.weight=0.0',)),
  )  # fmt: skip
  return c
