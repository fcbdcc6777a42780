"""Multiple negatives ranking (MNRL). Henderson et al. 2017. arXiv:1705.00652, section 4.4; with cosines, Sentence Transformers.

Your own pairs: `jssl train mnrl --data pairs.jsonl`, where a line is {"text": ..., "positive": ...}. With texts in "negative", hard negatives,
as in the row of that name: `view` names three columns, and the third embedding is given to `simcse`.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='entailment', batch_size=64, steps=300)
  c.parts = (
    'softmax over the batch: the positives of all other examples are negatives, one way',
    'cosines times 20 (Sentence Transformers; paper: inner products)',
    'pairs of a premise and a sentence that it entails; the mean of all tokens is the embedding',
    'hard negatives, contradictions of each premise, which are negatives of all examples of the batch, as a row',
    "SBERT's classifier of pairs as the rival, on pairs of all three classes",
    'begins from a masked language model of one block (Sentence Transformers: BERT and others)',
    dict(part='scores of several features, n-grams, and networks of their own for both sides', out='open', why='one encoder of sentences'),
    dict(part='300 million mails with replies; SNLI and MultiNLI', out='data', why='no package ships them; a grammar of words in taxonomies'),
  )
  c.data.update(common.start_ids(scale, 16))
  c.backbone = common.start(scale, 'masked_lm', **common.at(scale)(small=dict(depth=1), tiny={}))
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.passes.pairs = dict(name='embed')
  c.losses.ranking = dict(name='simcse', of=dict(q='pairs.q[0]', k='pairs.q[1]'), temperature=0.05)
  c.heads.relation = dict(name='compared', widths=(3,), of=('u', 'v', 'distance'))  # of the rival
  c.passes.relation = dict(name='apply', network='relation', on=('pairs.q[0]', 'pairs.q[1]'))
  c.watch = ('pairs.q[0]', 'pairs.q[1]')
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(sts=dict(name='sts', texts='sentences'))
  classes = "losses.ranking={'name': 'cross_entropy', 'of': {'logits': 'relation.out', 'labels': 'batch.relation'}}"
  c.claim = dict(
    metric='sts_spearman', beats=('raw_input', 'random_init', 'start', 'classifier'), margin=0.02,
    variants={
      'classifier': ("view.names=('ids', 'second')", classes),
      'hard negatives': ("view.names=('ids', 'positive', 'negative')", 'losses.ranking.of.negatives=pairs.q[2]'),
    },
    without='classifier',
    ceiling=('hard negatives',),
  )  # fmt: skip
  return c
