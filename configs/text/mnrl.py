"""Multiple negatives ranking. Henderson et al. 2017. arXiv:1705.00652, section 4.4; with hard negatives as in Sentence Transformers."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='entailment', batch_size=64, steps=300)
  c.parts = ()
  c.data.update(common.start_ids(scale, 16))
  c.backbone = common.start(scale, 'masked_lm', **common.at(scale)(small=dict(depth=1), tiny={}))
  c.heads.relation = dict(name='compared', widths=(3,), of=('u', 'v', 'distance'))  # of the comparison
  c.passes.pairs = dict(name='embed', view=dict(name='columns', names=('ids', 'positive')))
  c.passes.relation = dict(name='apply', network='relation', on=('pairs.q[0]', 'pairs.q[1]'))
  c.losses.ranking = dict(name='info_nce', of=dict(q='pairs.q[0]', k='pairs.q[1]'), temperature=0.05)
  c.watch = ('pairs.q[0]', 'pairs.q[1]')
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(sts=dict(name='sts', texts='sentences'))
  c.claim = None
  return c
