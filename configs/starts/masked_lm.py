"""A small BERT. Devlin, Chang, Lee, Toutanova, NAACL 2019. arXiv:1810.04805, section 3.1, task 1.

A masked language model of two blocks of width 96 on English from packages: a start for sentences that is not contrastive. What departs:
30 % of the tokens are hidden in place of 15 %, as a short run learns more of each text (Wettig, Gao, Zhong, Chen, EACL 2023, arXiv:2202.08005),
and each hidden one is [MASK], none a random word or itself; the next sentence is not told, after Liu et al. (RoBERTa), arXiv:1907.11692,
section 4.2; lower-case word pieces, 4,096 of them; no dropout, as the run sees each passage twice at most.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.english(scale, steps=2400, length=32)
  c.parts = (
    'cross-entropy of masked tokens from both sides; 30 % of them (paper: 15 %)',
    'blocks with normalisation last, learned positions, GELU; table shared with the logits',
    'AdamW, linear warm-up and cosine decay (paper: linear), gradients clipped at 1 (official code)',
    'accuracy and loss of masked tokens of held-out passages, beside unigram counts',
    dict(part='one in ten masked tokens replaced by a random one, one kept', out='open', why='each is [MASK]'),
    dict(part='next sentence prediction, segments', out='open', why='left out, as in RoBERTa'),
    dict(part='dropout of 0.1', out='open', why='none: each passage is read twice at most'),
    dict(part='fine-tuning on GLUE, SQuAD and SWAG', out='open', why='a start for others'),
    dict(part='BooksCorpus and Wikipedia', out='data', why='no package ships them; passages from packages'),
    dict(part='12 and 24 blocks, 1M steps of 256 texts of 512 tokens', out='scale', why='2 blocks of 96, 2,400 steps of 32 texts of 32 tokens'),
  )
  c.optimizer.clip = 1.0
  c.backbone = common.transformer(scale, 'bert', width=96, depth=2, heads=4, std=0.1)
  c.heads.lm = dict(name='lm_head')
  c.passes.mlm = dict(name='masked_lm', mask=dict(name='mask_tokens', ratio=0.3))
  c.losses.mlm = dict(name='token_cross_entropy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.evaluators = dict(masked=dict(name='masked_tokens'))
  c.claim = None
  return c
